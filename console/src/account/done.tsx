import { Button, Loader } from '@mantine/core';
import { AccessPage } from '../shared/access-page.tsx';
import { t } from '../shared/i18n.ts';
import { returnUrl } from '../shared/session.ts';
import { useVisitor } from './anybody.ts';
import { ButtonLink } from './links.tsx';

/** Says what was done, and leads on: whoever is signed in to where they wanted to go, others to the sign-in. */
export function Done({
  title,
  return_to,
  children,
}: {
  title: string;
  return_to: string | undefined;
  children: string;
}) {
  return (
    <AccessPage title={title} intro={children}>
      <GoOn return_to={return_to} />
    </AccessPage>
  );
}

export function GoOn({ return_to }: { return_to: string | undefined }) {
  const visitor = useVisitor();
  if (visitor === undefined) return <Loader size="sm" />;
  if (visitor === null) {
    return (
      <ButtonLink to="/login" search={return_to === undefined ? {} : { return_to }} fullWidth>
        {t('access:log_in.title')}
      </ButtonLink>
    );
  }
  return (
    <Button component="a" href={returnUrl(return_to)} fullWidth>
      {t('access:go_on')}
    </Button>
  );
}
