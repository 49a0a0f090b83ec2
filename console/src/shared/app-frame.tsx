import {
  AppShell,
  Burger,
  Drawer,
  Group,
  NavLink,
  ScrollArea,
  Stack,
  useMantineTheme,
  VisuallyHidden,
} from '@mantine/core';
import { useDisclosure, useMediaQuery } from '@mantine/hooks';
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

/**
 * The frame of pages for somebody who is signed in: a head, a list of pages, and the page. On narrow screens the list is a
 * dialog, because it covers the page.
 */
export function AppFrame({ items, head, foot }: { items: NavItem[]; head?: ReactNode; foot?: ReactNode }) {
  const [isOpen, { open, close }] = useDisclosure();
  const { breakpoints } = useMantineTheme();
  const isWide = useMediaQuery(`(min-width: ${breakpoints.sm})`);
  const { pathname } = useLocation();
  // biome-ignore lint/correctness/useExhaustiveDependencies: whatever page comes, the list gives way to it.
  useEffect(close, [pathname]);
  const list = items.map(({ to, label, icon: Icon }) => (
    <NavLink
      key={to}
      component={Link}
      to={to}
      activeOptions={{ exact: to === '/' }}
      label={label}
      leftSection={<Icon size={18} stroke={1.7} />}
      className={classes.item}
      // Also where it is the page already.
      onClick={close}
    />
  ));
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 240, breakpoint: 'sm', collapsed: { mobile: true } }}
      padding="lg"
      className={classes.frame}
    >
      <a className={classes.skip} href="#content">
        {t('skip')}
      </a>
      <AppShell.Header px="md">
        <Group h="100%" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap" miw={0}>
            <Burger
              onClick={open}
              hiddenFrom="sm"
              size="sm"
              aria-label={t('menu')}
              aria-haspopup="dialog"
              aria-expanded={isOpen}
            />
            <Product />
          </Group>
          <Group gap="xs" wrap="nowrap" style={{ flexShrink: 0 }}>
            {head}
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="sm" aria-label={t('menu')} visibleFrom="sm">
        <AppShell.Section grow component={ScrollArea}>
          {list}
        </AppShell.Section>
        {foot !== undefined && <AppShell.Section>{foot}</AppShell.Section>}
      </AppShell.Navbar>
      <Drawer
        opened={isOpen && !isWide}
        onClose={close}
        title={t('menu')}
        size={280}
        closeButtonProps={{ 'aria-label': t('close') }}
      >
        <Stack gap="sm">
          <nav aria-label={t('menu')}>{list}</nav>
          {foot}
        </Stack>
      </Drawer>
      <AppShell.Main id="content" tabIndex={-1}>
        <Outlet />
        <VisuallyHidden role="status" id="announcer" />
      </AppShell.Main>
    </AppShell>
  );
}
