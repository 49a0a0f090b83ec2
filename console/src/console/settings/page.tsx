import { Badge, Button, Code, Group, NativeSelect, Stack, Table, Text, TextInput } from '@mantine/core';
import { IconLock, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type Answer, call } from '../../shared/api.ts';
import { t } from '../../shared/i18n.ts';
import { PageHead } from '../../shared/page-head.tsx';
import { Empty, LoadFailure, Loading } from '../../shared/states.tsx';
import type { SettingsSearch } from './search.ts';

type Setting = Answer<'GET /auth/settings'>[number];

const route = getRouteApi('/admin/settings');

/** Every setting of this instance and where its value comes from. */
export function SettingsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const {
    data: settings,
    error,
    refetch,
  } = useQuery({
    queryKey: ['settings'],
    queryFn: ({ signal }) => call('GET /auth/settings', { signal }),
  });
  const change = (part: SettingsSearch) =>
    navigate({ search: (before) => ({ ...before, ...part }), replace: true });
  const found = settings?.filter((setting) => fits(setting, search));
  return (
    <>
      <PageHead title={t('insight:settings.title')} intro={t('insight:settings.intro')} />
      <Stack gap="md">
        <Group gap="sm" align="flex-end">
          <TextInput
            type="search"
            label={t('insight:settings.search')}
            leftSection={<IconSearch size={16} aria-hidden />}
            flex="1 1 220px"
            value={search.q ?? ''}
            onChange={({ currentTarget: { value } }) => change({ q: value === '' ? undefined : value })}
          />
          <NativeSelect
            label={t('insight:settings.which')}
            value={search.set === true ? 'set' : ''}
            onChange={({ currentTarget: { value } }) => change({ set: value === 'set' ? true : undefined })}
            data={[
              { value: '', label: t('insight:filters.all') },
              { value: 'set', label: t('insight:settings.not_default') },
            ]}
          />
        </Group>
        {settings === undefined && error !== null && <LoadFailure error={error} retry={refetch} />}
        {settings === undefined && error === null && <Loading />}
        {found?.length === 0 && (
          <Empty title={t('insight:settings.none_found')}>
            <Button variant="default" onClick={() => change({ q: undefined, set: undefined })}>
              {t('insight:filters.clear')}
            </Button>
          </Empty>
        )}
        {found !== undefined && found.length > 0 && <SettingTable settings={found} />}
      </Stack>
    </>
  );
}

function fits(setting: Setting, { q = '', set = false }: SettingsSearch): boolean {
  if (set && setting.source === 'default') return false;
  const text = `${setting.name} ${setting.description} ${setting.value}`.toLowerCase();
  return q
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function SettingTable({ settings }: { settings: Setting[] }) {
  return (
    <Table verticalSpacing="sm" layout="fixed" aria-label={t('insight:settings.title')}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">{t('insight:settings.setting')}</Table.Th>
          <Table.Th scope="col">{t('insight:settings.value')}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {settings.map((setting) => (
          <Table.Tr key={setting.name}>
            <Table.Th scope="row" fw={400} style={{ verticalAlign: 'top' }}>
              <Text size="sm" fw={600} ff="monospace" style={{ overflowWrap: 'anywhere' }}>
                {setting.name}
              </Text>
              {/* The server has it in one language, as the README does. */}
              <Text size="sm" c="dimmed" lang="en">
                {setting.description}
              </Text>
            </Table.Th>
            <Table.Td style={{ verticalAlign: 'top' }}>
              <Stack gap={6} align="flex-start">
                <Value setting={setting} />
                <Badge variant="light" color={setting.source === 'default' ? 'gray' : 'blue'} tt="none">
                  {t(`insight:settings.sources.${setting.source}`)}
                </Badge>
                {setting.source !== 'default' && setting.default !== null && setting.default !== '' && (
                  <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
                    {t('insight:settings.default', { value: setting.default })}
                  </Text>
                )}
              </Stack>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Value({ setting: { value, is_secret, is_set } }: { setting: Setting }) {
  if (is_set && is_secret) {
    return (
      <Group gap={6} wrap="nowrap">
        <IconLock size={14} aria-hidden />
        <Text size="sm">{t('insight:settings.secret')}</Text>
      </Group>
    );
  }
  if (value === null || value === '') {
    return (
      <Text size="sm" c="dimmed">
        {t(is_set ? 'insight:settings.empty' : 'insight:settings.unset')}
      </Text>
    );
  }
  return <Code style={{ overflowWrap: 'anywhere' }}>{value}</Code>;
}
