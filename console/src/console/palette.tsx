import '@mantine/spotlight/styles.css';
import { ActionIcon, Button, Kbd } from '@mantine/core';
import { useDebouncedValue, useOs } from '@mantine/hooks';
import { modals } from '@mantine/modals';
import { createSpotlight, Spotlight } from '@mantine/spotlight';
import {
  IconLogout,
  IconMailPlus,
  IconSearch,
  IconUser,
  IconUserCircle,
  IconUserPlus,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { type ComponentType, useEffect, useId, useState } from 'react';
import type { NavItem } from '../shared/app-frame.tsx';
import { config } from '../shared/config.ts';
import { foreignText } from '../shared/foreign-text.ts';
import { t } from '../shared/i18n.ts';
import { logOut } from '../shared/session.ts';
import { useIsNarrow } from './narrow.ts';
import { userSearchQuery } from './users-by-id.tsx';

const typingPauseMs = 150;
const [store, spotlight] = createSpotlight();

interface Entry {
  id: string;
  label: string;
  description?: string;
  icon: ComponentType<{ size?: number; stroke?: number }>;
  run: () => unknown;
}

/** A form of the users' pages, wherever one is. */
async function openForm(
  title: 'users:invite.title' | 'users:create.title',
  name: 'InviteForm' | 'CreateForm',
): Promise<void> {
  const { [name]: Form } = await import('./users/add.tsx');
  const id = modals.open({
    title: t(title),
    closeButtonProps: { 'aria-label': t('close') },
    children: <Form close={() => modals.close(id)} />,
  });
}

/** Opens the palette; says by which keys, too. */
export function PaletteButton() {
  const os = useOs();
  const isNarrow = useIsNarrow();
  const keys = 'Control+K Meta+K';
  if (isNarrow) {
    return (
      <ActionIcon
        variant="default"
        size={30}
        onClick={spotlight.open}
        aria-label={t('insight:palette.open')}
        aria-keyshortcuts={keys}
      >
        <IconSearch size={16} aria-hidden />
      </ActionIcon>
    );
  }
  return (
    <Button
      variant="default"
      size="xs"
      leftSection={<IconSearch size={14} aria-hidden />}
      onClick={spotlight.open}
      aria-keyshortcuts={keys}
      rightSection={
        <Kbd size="xs" visibleFrom="md" aria-hidden>
          {os === 'macos' ? '⌘ K' : 'Ctrl K'}
        </Kbd>
      }
    >
      {t('insight:palette.open')}
    </Button>
  );
}

/** Goes to any page and any user, and does what is done often, by a few letters. */
export function Palette({ pages }: { pages: NavItem[] }) {
  const { history } = useRouter();
  const [query, setQuery] = useState('');
  const [asked] = useDebouncedValue(query.trim(), typingPauseMs);
  const isTyped = query.trim() !== '';
  const { data: users } = useQuery({ ...userSearchQuery(asked), enabled: asked !== '' });
  const listId = useId();
  // The first one is chosen after every letter, also when it is a user, who was found later than the library looked.
  // biome-ignore lint/correctness/useExhaustiveDependencies: whoever is found.
  useEffect(() => {
    if (!isTyped) return;
    const [first, ...others] = document.getElementById(listId)?.querySelectorAll('[data-action]') ?? [];
    for (const other of others) other.removeAttribute('data-selected');
    first?.setAttribute('data-selected', 'true');
    store.updateState((state) => ({ ...state, selected: 0 }));
  }, [users]);
  const toEntry = ({ to, label, icon }: NavItem): Entry => ({
    id: `${to} ${label}`,
    label,
    icon,
    run: () => history.push(`${config.base}/console${to}`),
  });
  const fits = ({ label }: Entry) => label.toLowerCase().includes(query.trim().toLowerCase());
  const groups: { label: string; entries: Entry[] }[] = [
    { label: t('insight:palette.pages'), entries: pages.map(toEntry).filter(fits) },
    {
      label: t('insight:palette.actions'),
      entries: [
        {
          id: 'invite',
          label: t('users:invite.title'),
          icon: IconMailPlus,
          run: () => openForm('users:invite.title', 'InviteForm'),
        },
        {
          id: 'create',
          label: t('users:create.title'),
          icon: IconUserPlus,
          run: () => openForm('users:create.title', 'CreateForm'),
        },
        {
          id: 'account',
          label: t('account'),
          icon: IconUserCircle,
          run: () => location.assign(`${config.base}/account`),
        },
        { id: 'log_out', label: t('log_out'), icon: IconLogout, run: logOut },
      ].filter(fits),
    },
    {
      label: t('insight:palette.users'),
      // Never those of other letters: who presses Enter means whom they typed.
      entries: (asked === query.trim() ? (users ?? []) : []).map(({ id, name, email }) => ({
        id: `user ${id}`,
        label: foreignText(name),
        description: email,
        icon: IconUser,
        run: () => history.push(`${config.base}/console/users/${id}`),
      })),
    },
  ].filter(({ entries }) => entries.length > 0);
  return (
    <Spotlight.Root
      store={store}
      query={query}
      onQueryChange={setQuery}
      scrollable
      attributes={{ content: { 'aria-label': t('insight:palette.open') } }}
      // Also while a field has the focus, since the keys are no text.
      tagsToIgnore={[]}
    >
      <Spotlight.Search
        placeholder={t('insight:palette.hint')}
        aria-label={t('insight:palette.hint')}
        leftSection={<IconSearch size={18} aria-hidden />}
      />
      <Spotlight.ActionsList id={listId}>
        {groups.map(({ label, entries }) => (
          <Spotlight.ActionsGroup key={label} label={label}>
            {entries.map(({ id, label: name, description, icon: Icon, run }) => (
              <Spotlight.Action
                key={id}
                label={name}
                {...(description === undefined ? {} : { description })}
                leftSection={<Icon size={18} stroke={1.7} />}
                onClick={run}
              />
            ))}
          </Spotlight.ActionsGroup>
        ))}
        {groups.length === 0 && <Spotlight.Empty>{t('insight:palette.nothing')}</Spotlight.Empty>}
      </Spotlight.ActionsList>
    </Spotlight.Root>
  );
}
