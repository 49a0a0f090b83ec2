import { getRouteApi } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { AccessPage } from '../../../shared/access-page.tsx';
import { call } from '../../../shared/api.ts';
import { config } from '../../../shared/config.ts';
import { t } from '../../../shared/i18n.ts';
import { logInByMail, returnUrl } from '../../../shared/session.ts';
import { AddressForm } from '../../address-form.tsx';
import { useVisitor } from '../../anybody.ts';
import { AnchorLink } from '../../links.tsx';
import { useMailLink } from '../../mail-link.ts';
import { ProofForm } from '../../proof-form.tsx';
import { recallReturn, rememberReturn } from '../../return-to.ts';

const route = getRouteApi('/login/email');

/** Signs in without a password: asks for a mail, and is where its link leads. */
export function LoginByMailPage() {
  const search = route.useSearch();
  const link = useMailLink();
  const [return_to] = useState(
    () => search.return_to ?? (link.token === undefined ? undefined : recallReturn()),
  );
  const [email, setEmail] = useState<string>();
  const [isDone, setDone] = useState(false);
  const visitor = useVisitor();
  // A link may be of another account than the one that is signed in.
  const canGo = isDone || (!!visitor && link.token === undefined);
  useEffect(() => {
    if (canGo) location.replace(returnUrl(return_to));
  }, [canGo, return_to]);
  const isAsking = link.token === undefined && link.refusal === undefined && email === undefined;

  const ask = (address: string) => call('POST /auth/login/email', { body: { email: address } });
  const footer = (
    <AnchorLink to="/login" search={search} inherit>
      {t('access:by_mail.with_password')}
    </AnchorLink>
  );
  if (!config.email_login) {
    return <AccessPage title={t('access:by_mail.title')} intro={t('access:by_mail.off')} footer={footer} />;
  }
  if (isAsking) {
    return (
      <AccessPage title={t('access:by_mail.title')} intro={t('access:by_mail.intro')} footer={footer}>
        <AddressForm
          route="POST /auth/login/email"
          label={t('access:mail.send')}
          send={async (address) => {
            await ask(address);
            rememberReturn(search.return_to);
            setEmail(address);
          }}
        />
      </AccessPage>
    );
  }
  return (
    <AccessPage title={t('access:by_mail.title')} intro={intro(link.token, email)} footer={footer}>
      <ProofForm
        route="POST /auth/login/email/verify"
        link={link}
        email={email}
        label={t('access:log_in.title')}
        send={async (proof) => {
          await logInByMail(proof);
          rememberReturn(undefined);
          setDone(true);
        }}
        resend={(address = '') => ask(address)}
      />
    </AccessPage>
  );
}

function intro(token: string | undefined, email: string | undefined): string {
  if (token !== undefined) return t('access:by_mail.by_link');
  return email === undefined ? t('access:by_mail.by_code') : t('access:mail.perhaps_sent', { email });
}
