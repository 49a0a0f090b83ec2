import type { ReactNode } from 'react';
import { AccessPage } from '../shared/access-page.tsx';
import { t } from '../shared/i18n.ts';
import { callAsAnybody } from './anybody.ts';
import { ProofForm } from './proof-form.tsx';

/** Waits until somebody who gave an address confirms it: by the link, in another tab, or by the code, here. */
export function VerifyStep({
  email,
  onVerified,
  footer,
}: {
  email: string;
  onVerified: () => Promise<void> | void;
  footer?: ReactNode;
}) {
  return (
    <AccessPage title={t('access:verify.title')} intro={t('access:verify.sent', { email })} footer={footer}>
      <ProofForm
        route="POST /auth/verify-email"
        email={email}
        label={t('access:verify.confirm')}
        send={async (proof) => {
          await callAsAnybody('POST /auth/verify-email', { body: proof });
          await onVerified();
        }}
        resend={() => callAsAnybody('POST /auth/verify-email/request', { body: { email } })}
      />
    </AccessPage>
  );
}
