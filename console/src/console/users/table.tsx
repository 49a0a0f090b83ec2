import { Anchor, Card, Checkbox, Group, Stack, Table, Text, UnstyledButton } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconArrowDown, IconArrowsSort, IconArrowUp } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { memo } from 'react';
import { foreignText } from '../../shared/foreign-text.ts';
import { t } from '../../shared/i18n.ts';
import { columns } from './columns.tsx';
import type { ColumnName, SortField, User } from './search.ts';
import classes from './table.module.css';

interface UsersTableProps {
  users: User[];
  shown: ColumnName[];
  sort: string;
  onSort: (sort: string) => void;
  selected: ReadonlyMap<number, User>;
  /** Adds users to the selection, or takes them out of it. */
  onSelect: (users: User[], isSelected: boolean) => void;
  /** Whether these are the rows of before, while others are on their way. */
  isFormer: boolean;
}

/** A page of users: a table, or on narrow screens a card each. */
export function UsersTable(props: UsersTableProps) {
  const isNarrow = useMediaQuery('(max-width: 48em)', undefined, { getInitialValueInEffect: false });
  return isNarrow ? <Cards {...props} /> : <Rows {...props} />;
}

function Rows({ users, shown, sort, onSort, selected, onSelect, isFormer }: UsersTableProps) {
  return (
    <Table.ScrollContainer minWidth={560} type="native">
      <Table
        className={classes.rows}
        data-former={isFormer || undefined}
        aria-busy={isFormer}
        verticalSpacing="sm"
      >
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col" w={44}>
              <SelectAll users={users} selected={selected} onSelect={onSelect} />
            </Table.Th>
            <Header name="name" sort={sort} field="name" onSort={onSort} />
            {shown.map((name) => (
              <Header key={name} name={name} sort={sort} field={columns[name].sort} onSort={onSort} />
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {users.map((user) => (
            <Row
              key={user.id}
              user={user}
              shown={shown}
              isSelected={selected.has(user.id)}
              onSelect={onSelect}
            />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

type RowProps = Pick<UsersTableProps, 'shown' | 'onSelect'> & { user: User; isSelected: boolean };

/** Drawn anew only when it changes: who types waits for all rows otherwise. */
const Row = memo(function Row({ user, shown, isSelected, onSelect }: RowProps) {
  return (
    <Table.Tr aria-selected={isSelected}>
      <Table.Td>
        <SelectOne user={user} isSelected={isSelected} onSelect={onSelect} />
      </Table.Td>
      <Table.Th scope="row" fw={400} className={classes.long}>
        <NameLink user={user} />
      </Table.Th>
      {shown.map((name) => (
        <Table.Td key={name} className={columns[name].isLong ? classes.long : undefined}>
          {columns[name].cell(user)}
        </Table.Td>
      ))}
    </Table.Tr>
  );
});

function Cards({ users, shown, selected, onSelect, isFormer }: UsersTableProps) {
  return (
    <Stack gap="xs" className={classes.rows} data-former={isFormer || undefined} aria-busy={isFormer}>
      <Group px="sm">
        <SelectAll users={users} selected={selected} onSelect={onSelect} isLabelled />
      </Group>
      <Stack component="ul" gap="xs" p={0} m={0} className={classes.cards}>
        {users.map((user) => (
          <Card key={user.id} component="li" withBorder padding="sm">
            <Group align="flex-start" wrap="nowrap" gap="sm">
              <SelectOne user={user} isSelected={selected.has(user.id)} onSelect={onSelect} />
              <Stack gap={4} miw={0}>
                <NameLink user={user} />
                {shown.map((name) => {
                  const cell = columns[name].cell(user);
                  const isPlain = ['email', 'state', 'role'].includes(name);
                  return (
                    cell !== null &&
                    cell !== false && (
                      <Text key={name} size="sm" component="div" className={classes.value}>
                        {isPlain || `${t(`users:columns.${name}`)}: `}
                        {cell}
                      </Text>
                    )
                  );
                })}
              </Stack>
            </Group>
          </Card>
        ))}
      </Stack>
    </Stack>
  );
}

function NameLink({ user }: { user: User }) {
  return (
    <Anchor component={Link} to={`/users/${user.id}`} size="sm" fw={600} className={classes.value}>
      {foreignText(user.name)}
    </Anchor>
  );
}

function Header({
  name,
  field,
  sort,
  onSort,
}: {
  name: ColumnName | 'name';
  field: SortField | undefined;
  sort: string;
  onSort: (sort: string) => void;
}) {
  const label = t(`users:columns.${name}`);
  if (field === undefined) return <Table.Th scope="col">{label}</Table.Th>;
  const direction = sort === field ? 'ascending' : sort === `-${field}` ? 'descending' : 'none';
  const Icon = { ascending: IconArrowUp, descending: IconArrowDown, none: IconArrowsSort }[direction];
  return (
    <Table.Th scope="col" aria-sort={direction}>
      <UnstyledButton
        fz="sm"
        fw={700}
        onClick={() => onSort(direction === 'ascending' ? `-${field}` : field)}
      >
        <Group gap={6} wrap="nowrap">
          {label}
          <Icon size={14} aria-hidden opacity={direction === 'none' ? 0.5 : 1} />
        </Group>
      </UnstyledButton>
    </Table.Th>
  );
}

type Selection = Pick<UsersTableProps, 'selected' | 'onSelect'>;

function SelectAll({
  users,
  selected,
  onSelect,
  isLabelled = false,
}: Selection & { users: User[]; isLabelled?: boolean }) {
  const count = users.filter(({ id }) => selected.has(id)).length;
  return (
    <Checkbox
      {...(isLabelled ? { label: t('users:select_page') } : { 'aria-label': t('users:select_page') })}
      checked={users.length > 0 && count === users.length}
      indeterminate={count > 0 && count < users.length}
      onChange={(event) => onSelect(users, event.currentTarget.checked)}
    />
  );
}

function SelectOne({ user, isSelected, onSelect }: Omit<RowProps, 'shown'>) {
  return (
    <Checkbox
      aria-label={t('users:select', { name: user.name })}
      checked={isSelected}
      onChange={(event) => onSelect([user], event.currentTarget.checked)}
    />
  );
}
