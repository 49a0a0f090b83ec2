import { Anchor, Button } from '@mantine/core';
import {
  IconDatabaseExport,
  IconDevices,
  IconHistory,
  IconLogout,
  IconPassword,
  IconUser,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { AppFrame } from '../shared/app-frame.tsx';
import { config } from '../shared/config.ts';
import { t } from '../shared/i18n.ts';
import { loginUrl, logOut, meQuery } from '../shared/session.ts';
import { LoadFailure, Loading } from '../shared/states.tsx';

/** The pages of somebody who is signed in; everybody else is asked to sign in. */
export function AccountFrame() {
  const { data: me, error, refetch } = useQuery(meQuery);
  useEffect(() => {
    if (me === null) location.replace(loginUrl());
  }, [me]);
  if (error !== null && me === undefined) return <LoadFailure error={error} retry={refetch} />;
  if (!me) return <Loading />;
  return (
    <AppFrame
      items={[
        { to: '/', label: t('account:profile.title'), icon: IconUser },
        { to: '/password', label: t('account:password.title'), icon: IconPassword },
        { to: '/sessions', label: t('account:sessions.title'), icon: IconDevices },
        { to: '/activity', label: t('account:activity.title'), icon: IconHistory },
        { to: '/data', label: t('account:data.title'), icon: IconDatabaseExport },
      ]}
      head={
        <Button variant="subtle" size="xs" leftSection={<IconLogout size={16} />} onClick={logOut}>
          {t('log_out')}
        </Button>
      }
      foot={
        me.is_admin && (
          <Anchor href={`${config.base}/console`} size="sm">
            {t('console')}
          </Anchor>
        )
      }
    />
  );
}
