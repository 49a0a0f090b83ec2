import { IconCheck } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { t } from '../../shared/i18n.ts';
import { Time } from '../../shared/time.tsx';
import type { ColumnName, SortField, User } from './search.ts';
import { RoleBadge, StateBadge, stateOf } from './state.tsx';

interface Column {
  /** The field that the server orders by, where it can. */
  sort?: SortField;
  /** Whether it may be longer than its column, and one word. */
  isLong?: boolean;
  cell(user: User): ReactNode;
  /** As a file has it. */
  text(user: User): string;
}

const time = (value: string | null) => value !== null && <Time value={value} />;

export const columns: Record<ColumnName, Column> = {
  email: {
    sort: 'email',
    isLong: true,
    cell: ({ email }) => email,
    text: ({ email }) => email,
  },
  state: { cell: (user) => <StateBadge state={stateOf(user)} />, text: stateOf },
  role: {
    cell: ({ is_admin }) => <RoleBadge isAdmin={is_admin} />,
    text: ({ is_admin }) => (is_admin ? 'admin' : ''),
  },
  created_at: {
    sort: 'created_at',
    cell: ({ created_at }) => time(created_at),
    text: ({ created_at }) => created_at,
  },
  id: { sort: 'id', cell: ({ id }) => id, text: ({ id }) => String(id) },
  email_verified: {
    cell: ({ email_verified }) => email_verified && <IconCheck size={16} aria-label={t('yes')} />,
    text: ({ email_verified }) => String(email_verified),
  },
  pending_email: {
    isLong: true,
    cell: ({ pending_email }) => pending_email,
    text: ({ pending_email }) => pending_email ?? '',
  },
  locale: { cell: ({ locale }) => locale, text: ({ locale }) => locale ?? '' },
  delete_after: {
    cell: ({ delete_after }) => time(delete_after),
    text: ({ delete_after }) => delete_after ?? '',
  },
};
