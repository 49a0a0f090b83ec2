import { AppShell, Burger, Group, NavLink, ScrollArea, VisuallyHidden } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Link, Outlet, useLocation } from '@tanstack/react-router';
import { type ComponentType, type ReactNode, useEffect } from 'react';
import classes from './app-frame.module.css';
import { t } from './i18n.ts';
import { Product } from './product.tsx';

export interface NavItem {
  to: string;
  label: string;
  icon: ComponentType<{ size?: number; stroke?: number }>;
}

/** The frame of pages for somebody who is signed in: a head, a list of pages, and the page. */
export function AppFrame({ items, head, foot }: { items: NavItem[]; head?: ReactNode; foot?: ReactNode }) {
  const [isOpen, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  // biome-ignore lint/correctness/useExhaustiveDependencies: whatever page comes, the list gives way to it.
  useEffect(close, [pathname]);
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 240, breakpoint: 'sm', collapsed: { mobile: !isOpen } }}
      padding="lg"
      className={classes.frame}
    >
      <a className={classes.skip} href="#content">
        {t('skip')}
      </a>
      <AppShell.Header px="md">
        <Group h="100%" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap" miw={0}>
            <Burger opened={isOpen} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t('menu')} />
            <Product />
          </Group>
          <Group gap="xs" wrap="nowrap" style={{ flexShrink: 0 }}>
            {head}
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="sm" aria-label={t('menu')}>
        <AppShell.Section grow component={ScrollArea}>
          {items.map(({ to, label, icon: Icon }) => (
            <NavLink
              key={to}
              component={Link}
              to={to}
              activeOptions={{ exact: to === '/' }}
              label={label}
              leftSection={<Icon size={18} stroke={1.7} />}
              className={classes.item}
            />
          ))}
        </AppShell.Section>
        {foot !== undefined && <AppShell.Section>{foot}</AppShell.Section>}
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <Outlet />
        <VisuallyHidden role="status" id="announcer" />
      </AppShell.Main>
    </AppShell>
  );
}
