import { Button, Checkbox, Group, NativeSelect, Popover, Stack, TextInput } from '@mantine/core';
import { useDebouncedCallback, useHotkeys } from '@mantine/hooks';
import { IconColumns3, IconSearch } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import { t } from '../../shared/i18n.ts';
import {
  columnNames,
  columnsOf,
  listedStates,
  pageSizes,
  sizeOf,
  type UsersSearch,
  writeColumns,
} from './search.ts';

const typingPauseMs = 150;

/** What is looked for, and how it is shown. `change` begins at the first page. */
export function Toolbar({
  search,
  change,
}: {
  search: UsersSearch;
  change: (part: Partial<UsersSearch>) => void;
}) {
  return (
    <Group gap="sm" align="flex-end">
      <SearchInput q={search.q ?? ''} change={(q) => change({ q: q === '' ? undefined : q })} />
      <NativeSelect
        flex="1 1 130px"
        maw={200}
        label={t('users:filters.state')}
        value={search.state ?? String(search.is_active ?? '')}
        onChange={({ currentTarget: { value } }) => {
          const state = listedStates.find((known) => known === value);
          change({ state, is_active: state === undefined ? readFlag(value) : undefined });
        }}
        data={[
          { value: '', label: t('users:filters.all') },
          { value: 'true', label: t('users:filters.active') },
          { value: 'false', label: t('users:filters.inactive') },
          ...listedStates.map((state) => ({ value: state, label: t(`users:states.${state}`) })),
        ]}
      />
      <NativeSelect
        flex="1 1 130px"
        maw={200}
        label={t('users:columns.role')}
        value={String(search.is_admin ?? '')}
        onChange={(event) => change({ is_admin: readFlag(event.currentTarget.value) })}
        data={[
          { value: '', label: t('users:filters.all') },
          { value: 'true', label: t('users:filters.admins') },
          { value: 'false', label: t('users:filters.others') },
        ]}
      />
      <ViewMenu search={search} change={change} />
    </Group>
  );
}

function readFlag(value: string): boolean | undefined {
  return value === '' ? undefined : value === 'true';
}

function SearchInput({ q, change }: { q: string; change: (q: string) => void }) {
  const [text, setText] = useState(q);
  const typed = useRef(q);
  const input = useRef<HTMLInputElement>(null);
  const tell = useDebouncedCallback((value: string) => {
    typed.current = value;
    change(value);
  }, typingPauseMs);
  // Another view was opened, by a link or by going back.
  useEffect(() => {
    if (q !== typed.current) setText(q);
    typed.current = q;
  }, [q]);
  useHotkeys([['/', () => input.current?.focus()]]);
  return (
    <TextInput
      ref={input}
      type="search"
      label={t('users:search')}
      placeholder={t('users:search_hint')}
      leftSection={<IconSearch size={16} aria-hidden />}
      maxLength={255}
      flex="1 1 220px"
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        tell(event.currentTarget.value.trim());
      }}
    />
  );
}

function ViewMenu({ search, change }: { search: UsersSearch; change: (part: Partial<UsersSearch>) => void }) {
  return (
    <Popover trapFocus position="bottom-end" shadow="md">
      <Popover.Target>
        <Button variant="default" leftSection={<IconColumns3 size={16} aria-hidden />}>
          {t('users:view')}
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={t('users:view')}>
        <Stack gap="md">
          <Checkbox.Group
            label={t('users:columns_label')}
            value={columnsOf(search)}
            onChange={(chosen) => change({ columns: writeColumns(chosen) })}
          >
            <Stack gap="xs" mt="xs">
              {columnNames.map((name) => (
                <Checkbox key={name} value={name} label={t(`users:columns.${name}`)} />
              ))}
            </Stack>
          </Checkbox.Group>
          <NativeSelect
            label={t('users:page_size')}
            value={sizeOf(search)}
            onChange={(event) => change({ size: Number(event.currentTarget.value) })}
            data={pageSizes.map(String)}
          />
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
