import { NativeSelect, SimpleGrid, TextInput } from '@mantine/core';
import { t } from '../../shared/i18n.ts';
import { UserSelect } from '../users-by-id.tsx';
import { type AuditSearch, kindGroups } from './search.ts';

/** What is looked for. */
export function AuditFilters({
  search,
  change,
}: {
  search: AuditSearch;
  change: (part: AuditSearch) => void;
}) {
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, lg: 3 }} spacing="sm">
      <NativeSelect
        label={t('insight:audit.event')}
        value={search.kind ?? ''}
        onChange={({ currentTarget: { value } }) =>
          change({ kind: kindGroups.flat().find((kind) => kind === value) })
        }
      >
        <option value="">{t('insight:filters.all')}</option>
        {kindGroups.map((kinds) => (
          <optgroup key={kinds[0]} label={t(`insight:audit.groups.${groupOf(kinds[0])}`)}>
            {kinds.map((kind) => (
              <option key={kind} value={kind}>
                {t(`kinds.${kind}`)}
              </option>
            ))}
          </optgroup>
        ))}
      </NativeSelect>
      <NativeSelect
        label={t('insight:audit.result')}
        value={search.result ?? ''}
        onChange={({ currentTarget: { value } }) =>
          change({ result: value === 'success' || value === 'failure' ? value : undefined })
        }
        data={[
          { value: '', label: t('insight:filters.all') },
          { value: 'success', label: t('insight:audit.success') },
          { value: 'failure', label: t('insight:audit.failure') },
        ]}
      />
      <UserSelect
        label={t('insight:audit.user')}
        value={search.user_id}
        onChange={(user_id) => change({ user_id })}
      />
      <UserSelect
        label={t('insight:audit.actor')}
        value={search.actor}
        onChange={(actor) => change({ actor })}
      />
      <TimeInput label={t('insight:audit.from')} value={search.from} onChange={(from) => change({ from })} />
      <TimeInput label={t('insight:audit.to')} value={search.to} onChange={(to) => change({ to })} />
    </SimpleGrid>
  );
}

function groupOf(kind: string | undefined) {
  return (kind?.split('.')[0] ?? 'user') as 'user';
}

/** A time by the browser's clock, kept as RFC 3339. */
function TimeInput({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string | undefined;
  onChange: (time: string | undefined) => void;
}) {
  return (
    <TextInput
      type="datetime-local"
      label={label}
      value={value === undefined ? '' : toLocal(new Date(value))}
      onChange={({ currentTarget }) =>
        onChange(currentTarget.value === '' ? undefined : new Date(currentTarget.value).toISOString())
      }
    />
  );
}

/** As an input of the type `datetime-local` wants it. */
function toLocal(time: Date): string {
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
