import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { AccessPage } from '../../shared/access-page.tsx';
import { t } from '../../shared/i18n.ts';
import { BackToLogIn } from '../links.tsx';
import { useMailLink } from '../mail-link.ts';
import { recallReturn } from '../return-to.ts';
import { PasswordReset, ResetForm } from './form.tsx';

const route = getRouteApi('/reset-password');

/** Where the link of the mail leads that resets a password. */
export function ResetPasswordPage() {
  const { return_to = recallReturn() } = route.useSearch();
  const link = useMailLink();
  const [isReset, setReset] = useState(false);
  if (isReset) return <PasswordReset return_to={return_to} />;
  return (
    <AccessPage
      title={t('access:reset.title')}
      intro={t(link.token === undefined ? 'access:reset.by_code' : 'access:reset.by_link')}
      footer={<BackToLogIn return_to={return_to} />}
    >
      <ResetForm link={link} onReset={() => setReset(true)} />
    </AccessPage>
  );
}
