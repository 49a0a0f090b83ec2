import { Anchor, Button } from '@mantine/core';
import {
  IconFileImport,
  IconLayoutDashboard,
  IconLogout,
  IconMailPlus,
  IconUsers,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { AppFrame } from '../shared/app-frame.tsx';
import { config } from '../shared/config.ts';
import { t } from '../shared/i18n.ts';
import { loginUrl, logOut, meQuery } from '../shared/session.ts';
import { Empty, LoadFailure, Loading } from '../shared/states.tsx';

/** The pages of administrators. Others are asked to sign in, or told whom these pages are for. */
export function ConsoleFrame() {
  const { data: me, error, refetch } = useQuery(meQuery);
  useEffect(() => {
    if (me === null) location.replace(loginUrl());
  }, [me]);
  if (error !== null && me === undefined) return <LoadFailure error={error} retry={refetch} />;
  if (!me) return <Loading />;
  if (!me.is_admin) {
    return (
      <main>
        <Empty isPage title={t('failures.admin_required')}>
          <Anchor href={`${config.base}/account`}>{t('not_found.home')}</Anchor>
        </Empty>
      </main>
    );
  }
  return (
    <AppFrame
      items={[
        { to: '/', label: t('insight:dashboard.title'), icon: IconLayoutDashboard },
        { to: '/users', label: t('users:title'), icon: IconUsers },
        { to: '/invitations', label: t('users:invitations.title'), icon: IconMailPlus },
        { to: '/import', label: t('users:import.title'), icon: IconFileImport },
      ]}
      head={
        <Button variant="subtle" size="xs" leftSection={<IconLogout size={16} />} onClick={logOut}>
          {t('log_out')}
        </Button>
      }
    />
  );
}
