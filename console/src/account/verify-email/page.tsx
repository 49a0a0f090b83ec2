import { Button, Stack, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { AccessPage } from '../../shared/access-page.tsx';
import type { Answer } from '../../shared/api.ts';
import { describeFailure } from '../../shared/failures.ts';
import { t } from '../../shared/i18n.ts';
import { logOut, type Me, queryClient } from '../../shared/session.ts';
import { FormFailure } from '../../shared/states.tsx';
import { callAsAnybody, useVisitor } from '../anybody.ts';
import { Done } from '../done.tsx';
import { BackToLogIn } from '../links.tsx';
import { type MailLinkHere, useMailLink } from '../mail-link.ts';
import { ProofForm } from '../proof-form.tsx';
import { recallReturn } from '../return-to.ts';

const route = getRouteApi('/verify-email');

/** Confirms the address of an account, whether its owner is signed in or not. */
export function VerifyEmailPage() {
  const { return_to = recallReturn() } = route.useSearch();
  const visitor = useVisitor();
  const link = useMailLink();
  const [user, setUser] = useState<Answer<'POST /auth/verify-email'>>();
  if (user !== undefined) {
    return (
      <Done title={t('access:verify.done')} return_to={return_to}>
        {t('access:verify.done_text', { email: user.email })}
      </Done>
    );
  }
  return (
    <AccessPage
      title={t('access:verify.title')}
      intro={t(link.token === undefined ? 'access:verify.by_code' : 'access:verify.by_link')}
      footer={<BackToLogIn return_to={return_to} />}
    >
      <ProofForm
        route="POST /auth/verify-email"
        link={link}
        // Whoever is signed in and confirmed has got the code of another account.
        email={visitor?.email_verified === false ? null : undefined}
        label={t('access:verify.confirm')}
        send={async (proof) => {
          setUser(await callAsAnybody('POST /auth/verify-email', { body: proof }));
          await queryClient.invalidateQueries();
        }}
        resend={(email) =>
          callAsAnybody('POST /auth/verify-email/request', { body: email === undefined ? {} : { email } })
        }
      />
      {visitor && isPerhapsAnother(visitor, link) && <SignedInAs visitor={visitor} />}
    </AccessPage>
  );
}

/** The server lets nobody who is signed in confirm the address of another account by a link. */
function isPerhapsAnother(visitor: Me, { token, refusal }: MailLinkHere): boolean {
  return visitor.email_verified || token === undefined || refusal !== undefined;
}

function SignedInAs({ visitor }: { visitor: Me }) {
  const leave = useMutation({ mutationFn: logOut });
  return (
    <Stack gap="xs">
      <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
        {t('access:verify.signed_in_as', { email: visitor.email })}
      </Text>
      <FormFailure failure={leave.isError ? describeFailure(leave.error) : undefined} />
      <Button variant="default" loading={leave.isPending} onClick={() => leave.mutate()}>
        {t('log_out')}
      </Button>
    </Stack>
  );
}
