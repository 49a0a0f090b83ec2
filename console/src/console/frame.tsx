import { ActionIcon, Anchor, Button, Group } from '@mantine/core';
import {
  IconFileImport,
  IconHistory,
  IconKey,
  IconLayoutDashboard,
  IconLogout,
  IconMail,
  IconMailPlus,
  IconSettings,
  IconUsers,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { AppFrame, type NavItem } from '../shared/app-frame.tsx';
import { config } from '../shared/config.ts';
import { t } from '../shared/i18n.ts';
import { LanguagePicker } from '../shared/product.tsx';
import { loginUrl, logOut, meQuery } from '../shared/session.ts';
import { Empty, LoadFailure, Loading } from '../shared/states.tsx';
import { useIsNarrow } from './narrow.ts';
import { Palette, PaletteButton } from './palette.tsx';

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
  const items: NavItem[] = [
    { to: '/', label: t('insight:dashboard.title'), icon: IconLayoutDashboard },
    { to: '/users', label: t('users:title'), icon: IconUsers },
    { to: '/invitations', label: t('users:invitations.title'), icon: IconMailPlus },
    { to: '/import', label: t('users:import.title'), icon: IconFileImport },
    { to: '/audit', label: t('insight:audit.title'), icon: IconHistory },
    { to: '/outbox', label: t('insight:outbox.title'), icon: IconMail },
    { to: '/keys', label: t('insight:keys.title'), icon: IconKey },
    { to: '/settings', label: t('insight:settings.title'), icon: IconSettings },
  ];
  return (
    <>
      <Palette pages={items} />
      <AppFrame
        items={items}
        head={
          <>
            <PaletteButton />
            <LogOutButton />
          </>
        }
        foot={
          <Group justify="space-between" gap="xs" pt="sm">
            <Anchor href={`${config.base}/account`} size="sm">
              {t('account')}
            </Anchor>
            <LanguagePicker />
          </Group>
        }
      />
    </>
  );
}

function LogOutButton() {
  if (useIsNarrow()) {
    return (
      <ActionIcon variant="subtle" size={30} onClick={logOut} aria-label={t('log_out')}>
        <IconLogout size={16} aria-hidden />
      </ActionIcon>
    );
  }
  return (
    <Button variant="subtle" size="xs" leftSection={<IconLogout size={16} />} onClick={logOut}>
      {t('log_out')}
    </Button>
  );
}
