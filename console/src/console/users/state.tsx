import { Badge } from '@mantine/core';
import { t } from '../../shared/i18n.ts';
import type { User } from './search.ts';

const colors = { active: 'teal', pending: 'yellow', suspended: 'red', deletion_scheduled: 'orange' } as const;
export type UserState = keyof typeof colors;

/** The state of an account, which its fields tell: docs/account-life.md. */
export function stateOf({ is_active, email_verified, delete_after }: User): UserState {
  if (delete_after !== null) return 'deletion_scheduled';
  if (!is_active) return 'suspended';
  return email_verified ? 'active' : 'pending';
}

export function StateBadge({ state }: { state: UserState }) {
  return (
    <Badge variant="light" color={colors[state]} tt="none">
      {t(`users:states.${state}`)}
    </Badge>
  );
}

export function RoleBadge({ isAdmin }: { isAdmin: boolean }) {
  if (!isAdmin) return null;
  return (
    <Badge variant="outline" tt="none">
      {t('users:roles.admin')}
    </Badge>
  );
}
