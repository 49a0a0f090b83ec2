import { Button } from '@mantine/core';
import { useState } from 'react';
import { AccessPage } from '../../shared/access-page.tsx';
import type { Answer } from '../../shared/api.ts';
import { t } from '../../shared/i18n.ts';
import { loginUrl, queryClient } from '../../shared/session.ts';
import { FormFailure, Loading } from '../../shared/states.tsx';
import { callAsAnybody, useVisitor } from '../anybody.ts';
import { Done } from '../done.tsx';
import { useMailLink } from '../mail-link.ts';
import { ProofForm } from '../proof-form.tsx';

/** Confirms a new address: by the link that was sent to it, or signed in by the code. */
export function ChangeEmailPage() {
  const visitor = useVisitor();
  const link = useMailLink();
  const [user, setUser] = useState<Answer<'POST /auth/change-email'>>();
  if (user !== undefined) {
    return (
      <Done title={t('access:change_email.done')} return_to={undefined}>
        {t('access:change_email.done_text', { email: user.email })}
      </Done>
    );
  }
  if (link.token === undefined && visitor === undefined) {
    return (
      <AccessPage title={t('access:change_email.title')}>
        <Loading />
      </AccessPage>
    );
  }
  if (link.token === undefined && visitor === null) {
    return (
      <AccessPage title={t('access:change_email.title')} intro={t('access:change_email.signed_out')}>
        <FormFailure failure={link.refusal} />
        <Button component="a" href={loginUrl()} fullWidth>
          {t('access:log_in.title')}
        </Button>
      </AccessPage>
    );
  }
  return (
    <AccessPage
      title={t('access:change_email.title')}
      intro={t(link.token === undefined ? 'access:change_email.by_code' : 'access:change_email.by_link')}
    >
      <ProofForm
        route="POST /auth/change-email"
        link={link}
        email={null}
        label={t('access:change_email.button')}
        send={async (proof) => {
          const body = 'token' in proof ? proof : { code: proof.code };
          setUser(await callAsAnybody('POST /auth/change-email', { body }));
          await queryClient.invalidateQueries();
        }}
      />
    </AccessPage>
  );
}
