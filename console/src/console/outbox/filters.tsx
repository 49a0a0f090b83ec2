import { NativeSelect, SimpleGrid, TextInput } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { t } from '../../shared/i18n.ts';
import { UserSelect } from '../users-by-id.tsx';
import { mailKinds, mailStates, type OutboxSearch } from './search.ts';

/** What is looked for. */
export function OutboxFilters({
  search,
  change,
}: {
  search: OutboxSearch;
  change: (part: OutboxSearch) => void;
}) {
  const all = { value: '', label: t('insight:filters.all') };
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, lg: 4 }} spacing="sm">
      <NativeSelect
        label={t('insight:outbox.state')}
        value={search.state ?? ''}
        onChange={({ currentTarget: { value } }) =>
          change({ state: mailStates.find((state) => state === value) })
        }
        data={[all, ...mailStates.map((state) => ({ value: state, label: t(`mail_states.${state}`) }))]}
      />
      <NativeSelect
        label={t('insight:outbox.kind')}
        value={search.kind ?? ''}
        onChange={({ currentTarget: { value } }) =>
          change({ kind: mailKinds.find((kind) => kind === value) })
        }
        data={[all, ...mailKinds.map((kind) => ({ value: kind, label: t(`mail_kinds.${kind}`) }))]}
      />
      <AddressInput value={search.to ?? ''} onChange={(to) => change({ to: to === '' ? undefined : to })} />
      <UserSelect
        label={t('insight:outbox.user')}
        value={search.user_id}
        onChange={(user_id) => change({ user_id })}
      />
    </SimpleGrid>
  );
}

/** A whole address, looked for once it is one. */
function AddressInput({ value, onChange }: { value: string; onChange: (address: string) => void }) {
  const [text, setText] = useState(value);
  const [isWrong, setWrong] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => setText(value), [value]);
  function commit(): void {
    const isValid = input.current?.validity.valid ?? false;
    setWrong(!isValid);
    if (isValid && text.trim() !== value) onChange(text.trim());
  }
  return (
    <TextInput
      ref={input}
      type="email"
      label={t('insight:outbox.to')}
      placeholder={t('insight:filters.all')}
      value={text}
      error={isWrong && t('rules.email')}
      onChange={({ currentTarget }) => {
        setText(currentTarget.value);
        setWrong(false);
      }}
      onBlur={commit}
      onKeyDown={({ key }) => key === 'Enter' && commit()}
    />
  );
}
