import { Anchor, Group, ScrollArea, Stack, Tabs } from '@mantine/core';
import { IconChevronLeft } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { ApiError } from '../../shared/api.ts';
import { foreignText } from '../../shared/foreign-text.ts';
import { t } from '../../shared/i18n.ts';
import { PageHead } from '../../shared/page-head.tsx';
import { Empty, LoadFailure, Loading } from '../../shared/states.tsx';
import { RoleBadge, StateBadge, stateOf } from '../users/state.tsx';
import { ActivityTab } from './activity.tsx';
import { MailsTab } from './mails.tsx';
import { ProfileTab } from './profile.tsx';
import { userQuery } from './queries.ts';
import { SessionsTab } from './sessions.tsx';
import { readTab, type Tab, tabs } from './tab.ts';

const route = getRouteApi('/admin/users/$id');

const panels = { profile: ProfileTab, sessions: SessionsTab, activity: ActivityTab, mails: MailsTab };

/** Everything about one user. */
export function UserPage() {
  const id = Number(route.useParams().id);
  const { tab = 'profile' } = route.useSearch();
  const navigate = route.useNavigate();
  const { data: user, error, refetch } = useQuery(userQuery(id));
  const back = (
    <Anchor component={Link} to="/users" size="sm" mb="xs" style={{ alignSelf: 'flex-start' }}>
      <Group gap={4}>
        <IconChevronLeft size={14} aria-hidden />
        {t('users:user.back')}
      </Group>
    </Anchor>
  );
  if (user === undefined || (error instanceof ApiError && error.status === 404)) {
    const isGone = error instanceof ApiError && [404, 422].includes(error.status);
    return (
      <Stack gap={0}>
        {back}
        {isGone ? (
          <Empty isPage title={t('failures.user_not_found')} />
        ) : error !== null ? (
          <LoadFailure error={error} retry={refetch} />
        ) : (
          <Loading />
        )}
      </Stack>
    );
  }
  const Panel = panels[tab];
  return (
    <Stack gap={0}>
      {back}
      <PageHead
        title={foreignText(user.name)}
        intro={user.email}
        actions={
          <Group gap="xs">
            <StateBadge state={stateOf(user)} />
            <RoleBadge isAdmin={user.is_admin} />
          </Group>
        }
      />
      <Tabs
        value={tab}
        onChange={(value) => navigate({ search: { tab: readTab(value) }, replace: true })}
        keepMounted={false}
      >
        <ScrollArea type="never">
          <Tabs.List miw="max-content">
            {tabs.map((name) => (
              <Tabs.Tab key={name} value={name}>
                {t(`users:user.tabs.${name satisfies Tab}`)}
              </Tabs.Tab>
            ))}
          </Tabs.List>
        </ScrollArea>
        <Tabs.Panel value={tab} pt="lg">
          <Panel user={user} />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}
