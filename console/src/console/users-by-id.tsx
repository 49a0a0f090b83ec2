import { Anchor, Select } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, queryOptions, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { call } from '../shared/api.ts';
import { foreignText } from '../shared/foreign-text.ts';
import { t } from '../shared/i18n.ts';
import classes from './users-by-id.module.css';

const typingPauseMs = 150;
const offered = 8;
/** A name in a list need not be the newest. */
const staleTime = 300_000;

const userQuery = (id: number | undefined) =>
  queryOptions({
    queryKey: ['user-name', id],
    queryFn: ({ signal }) => call('GET /auth/users/{user_id}', { params: { user_id: id ?? 0 }, signal }),
    enabled: id !== undefined,
    staleTime,
    retry: false,
  });

/** Users whose name or email has this in it, a few. */
export const userSearchQuery = (text: string) =>
  queryOptions({
    queryKey: ['user-search', text],
    queryFn: ({ signal }) => call('GET /auth/users', { query: { q: text, limit: offered }, signal }),
  });

/** A user of whom only the number is known, by name; by the number where there is nobody any more. */
export function UserLink({ id }: { id: number }) {
  const { data: user, isError } = useQuery(userQuery(id));
  const label = user === undefined ? t('insight:user', { id }) : foreignText(user.name);
  if (isError) return label;
  return (
    <Anchor component={Link} to={`/users/${id}`} inherit title={user?.email} className={classes.name}>
      {label}
    </Anchor>
  );
}

/** Chooses a user, found by name or email. */
export function UserSelect({
  label,
  value,
  onChange,
}: {
  label: string;
  value: number | undefined;
  onChange: (id: number | undefined) => void;
}) {
  const [text, setText] = useState('');
  const [asked] = useDebouncedValue(text, typingPauseMs);
  const { data: chosen } = useQuery(userQuery(value));
  const chosenName = chosen === undefined ? t('insight:user', { id: value }) : foreignText(chosen.name);
  const { data: found = [] } = useQuery({
    // What stands there while nobody types is no search.
    ...userSearchQuery(value !== undefined && asked === chosenName ? '' : asked),
    placeholderData: keepPreviousData,
  });
  const options = new Map(found.map(({ id, name, email }) => [id, `${foreignText(name)} (${email})`]));
  if (value !== undefined) options.set(value, chosenName);
  return (
    <Select
      label={label}
      placeholder={t('insight:filters.all')}
      data={[...options].map(([id, name]) => ({ value: String(id), label: name }))}
      value={value === undefined ? null : String(value)}
      onChange={(id) => onChange(id === null ? undefined : Number(id))}
      searchable
      onSearchChange={setText}
      // The server has searched.
      filter={({ options: all }) => all}
      nothingFoundMessage={t('insight:filters.nobody')}
      clearable
      clearButtonProps={{ 'aria-label': t('insight:filters.clear_user') }}
    />
  );
}
