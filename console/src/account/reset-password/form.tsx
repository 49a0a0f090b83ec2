import { call } from '../../shared/api.ts';
import { t } from '../../shared/i18n.ts';
import { queryClient } from '../../shared/session.ts';
import { Done } from '../done.tsx';
import type { MailLinkHere } from '../mail-link.ts';
import { ProofForm } from '../proof-form.tsx';

/** A new password for whoever got the mail. */
export function ResetForm({
  link,
  email,
  onReset,
}: {
  link?: MailLinkHere;
  email?: string;
  onReset: () => void;
}) {
  return (
    <ProofForm
      route="POST /auth/reset-password"
      {...(link === undefined ? {} : { link })}
      email={email}
      asksPassword
      label={t('access:reset.button')}
      send={async (proof, new_password) => {
        await call('POST /auth/reset-password', { body: { ...proof, new_password } });
        // All sessions have ended, and perhaps one was of this browser.
        await queryClient.invalidateQueries();
        onReset();
      }}
      resend={(address = '') => call('POST /auth/forgot-password', { body: { email: address } })}
    />
  );
}

export function PasswordReset({ return_to }: { return_to: string | undefined }) {
  return (
    <Done title={t('access:reset.done')} return_to={return_to}>
      {t('access:reset.done_text')}
    </Done>
  );
}
