import { Button, Group, Stack, Text } from '@mantine/core';
import { IconChevronLeft, IconChevronRight, IconChevronsLeft } from '@tabler/icons-react';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { language, t } from '../../shared/i18n.ts';
import { PageHead } from '../../shared/page-head.tsx';
import { Empty, LoadFailure, Loading } from '../../shared/states.tsx';
import { CreateButton, InviteButton } from './add.tsx';
import { BulkBar } from './bulk.tsx';
import { ExportButton } from './export.tsx';
import { askForUsers, columnsOf, filterOf, sizeOf, type User, type UsersSearch } from './search.ts';
import { UsersTable } from './table.tsx';
import { Toolbar } from './toolbar.tsx';

const route = getRouteApi('/admin/users');
const number = new Intl.NumberFormat(language);

function pageQuery(search: UsersSearch) {
  return {
    queryKey: ['users', { ...filterOf(search), cursor: search.cursor, size: sizeOf(search) }],
    queryFn: ({ signal }: { signal: AbortSignal }) => askForUsers(search, { signal }),
  };
}

/** All users, a page at a time: found, filtered and ordered as the link says. */
export function UsersPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const queryClient = useQueryClient();
  const { data, error, isPlaceholderData, refetch } = useQuery({
    ...pageQuery(search),
    placeholderData: keepPreviousData,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: nothing else of the view matters for it.
  const shown = useMemo(() => columnsOf(search), [search.columns]);
  const filter = JSON.stringify(filterOf(search));
  const { selected, select, clear } = useSelection(filter);
  const trail = useTrail(filter + sizeOf(search), search.cursor);

  function change(part: Partial<UsersSearch>): void {
    const staysHere = Object.keys(part).every((name) => name === 'columns');
    const changed = { ...search, ...(staysHere ? {} : { cursor: undefined }), ...part };
    // Asked for while the page is drawn, not afterwards.
    queryClient.prefetchQuery(pageQuery(changed));
    navigate({ search: changed, replace: true });
  }

  function goTo(cursor: string | undefined): void {
    navigate({ search: (before) => ({ ...before, cursor }) });
  }

  const next = isPlaceholderData ? undefined : data?.next;
  const isFiltered = [search.q, search.is_active, search.is_admin, search.state].some(
    (part) => part !== undefined,
  );
  return (
    <Stack gap={0}>
      <PageHead
        title={t('users:title')}
        actions={
          <Group gap="xs">
            <ExportButton search={search} />
            <CreateButton />
            <InviteButton />
          </Group>
        }
      />
      <Stack gap="md">
        <Toolbar search={search} change={change} />
        {selected.size > 0 && <BulkBar users={[...selected.values()]} clear={clear} />}
        {error !== null && <LoadFailure error={error} retry={refetch} />}
        {data === undefined && error === null && <Loading />}
        {data?.items.length === 0 && (
          <Empty title={t(isFiltered ? 'users:none_found' : 'users:none')}>
            {isFiltered && (
              <Button
                variant="default"
                onClick={() =>
                  change({ q: undefined, is_active: undefined, is_admin: undefined, state: undefined })
                }
              >
                {t('users:filters.clear')}
              </Button>
            )}
          </Empty>
        )}
        {data !== undefined && data.items.length > 0 && (
          <UsersTable
            users={data.items}
            shown={shown}
            sort={search.sort ?? 'id'}
            onSort={(sort) => change({ sort })}
            selected={selected}
            onSelect={select}
            isFormer={isPlaceholderData}
          />
        )}
        {data !== undefined && (
          <Group justify="space-between">
            <Total
              search={search}
              isWhole={search.cursor === undefined && next === undefined}
              known={data.items.length}
            />
            <Group gap="xs" component="nav" aria-label={t('users:pages.label')}>
              <Button
                variant="default"
                size="xs"
                leftSection={<IconChevronsLeft size={14} aria-hidden />}
                disabled={search.cursor === undefined}
                onClick={() => goTo(undefined)}
              >
                {t('users:pages.first')}
              </Button>
              <Button
                variant="default"
                size="xs"
                leftSection={<IconChevronLeft size={14} aria-hidden />}
                disabled={!trail.hasPrevious}
                onClick={() => goTo(trail.previous)}
              >
                {t('users:pages.previous')}
              </Button>
              <Button
                variant="default"
                size="xs"
                rightSection={<IconChevronRight size={14} aria-hidden />}
                disabled={next === undefined}
                onPointerEnter={() =>
                  next !== undefined && queryClient.prefetchQuery(pageQuery({ ...search, cursor: next }))
                }
                onClick={() => goTo(next)}
              >
                {t('users:pages.next')}
              </Button>
            </Group>
          </Group>
        )}
      </Stack>
    </Stack>
  );
}

/** How many users the view has. Counting a million takes the server a while, so it is asked for by hand. */
function Total({ search, isWhole, known }: { search: UsersSearch; isWhole: boolean; known: number }) {
  const { sort, ...filter } = filterOf(search);
  const { data, isFetching, refetch } = useQuery({
    queryKey: ['users', 'total', filter],
    queryFn: ({ signal }) =>
      askForUsers({ ...search, cursor: undefined, sort: undefined }, { limit: 1, count: true, signal }),
    enabled: false,
  });
  const total = isWhole ? known : data?.total;
  if (total !== undefined) {
    return (
      <Text size="sm" role="status">
        {t('users:total', { count: total, number: number.format(total) })}
      </Text>
    );
  }
  return (
    <Button variant="subtle" size="xs" loading={isFetching} onClick={() => refetch()}>
      {t('users:count')}
    </Button>
  );
}

/** The users that are selected, on any page of a view. */
function useSelection(view: string) {
  const [selected, setSelected] = useState<ReadonlyMap<number, User>>(new Map());
  const clear = () => setSelected(new Map());
  // biome-ignore lint/correctness/useExhaustiveDependencies: another view has other users.
  useEffect(clear, [view]);
  const select = useCallback((users: User[], isSelected: boolean) => {
    setSelected((before) => {
      const after = new Map(before);
      for (const user of users) {
        if (isSelected) after.set(user.id, user);
        else after.delete(user.id);
      }
      return after;
    });
  }, []);
  return { selected, select, clear };
}

/** The pages before this one, as far as they were seen: a cursor leads only forward. */
function useTrail(view: string, cursor: string | undefined) {
  const [trail, setTrail] = useState<{ view: string; cursors: (string | undefined)[] }>({
    view,
    cursors: [cursor],
  });
  let { cursors } = trail;
  if (trail.view !== view || !cursors.includes(cursor)) {
    // The first page has none before it, whatever was seen.
    const before = trail.view === view && cursor !== undefined ? cursors : [];
    cursors = [...before, cursor];
    setTrail({ view, cursors });
  }
  const at = cursors.indexOf(cursor);
  return { hasPrevious: at > 0, previous: cursors[at - 1] };
}
