import { ModalsProvider } from '@mantine/modals';
import { createRootRoute, createRoute, createRouter, Outlet } from '@tanstack/react-router';
import { lazyPage } from '../shared/lazy-page.ts';
import { routerOptions } from '../shared/router-options.tsx';
import { readAuditSearch } from './audit/search.ts';
import { readDashboardSearch } from './dashboard/search.ts';
import { readOutboxSearch } from './outbox/search.ts';
import { readSettingsSearch } from './settings/search.ts';
import { readTab, type Tab } from './user/tab.ts';
import { readUsersSearch } from './users/search.ts';

/** All pages of `/console`. What a page keeps in its path and query stands with it. */
const root = createRootRoute({
  // Within the router, because what dialogs show has links.
  component: () => (
    <ModalsProvider>
      <Outlet />
    </ModalsProvider>
  ),
});

const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  component: lazyPage(() => import('./setup/page.tsx'), 'SetupPage'),
});

/** Pages of administrators. */
const admin = createRoute({
  getParentRoute: () => root,
  id: 'admin',
  component: lazyPage(() => import('./frame.tsx'), 'ConsoleFrame'),
});

const dashboard = createRoute({
  getParentRoute: () => admin,
  path: '/',
  validateSearch: readDashboardSearch,
  component: lazyPage(() => import('./dashboard/page.tsx'), 'DashboardPage'),
});

const users = createRoute({
  getParentRoute: () => admin,
  path: '/users',
  validateSearch: readUsersSearch,
  component: lazyPage(() => import('./users/page.tsx'), 'UsersPage'),
});

const user = createRoute({
  getParentRoute: () => admin,
  path: '/users/$id',
  validateSearch: ({ tab }: Record<string, unknown>): { tab?: Tab | undefined } => ({ tab: readTab(tab) }),
  component: lazyPage(() => import('./user/page.tsx'), 'UserPage'),
});

const invitations = createRoute({
  getParentRoute: () => admin,
  path: '/invitations',
  component: lazyPage(() => import('./invitations/page.tsx'), 'InvitationsPage'),
});

const importing = createRoute({
  getParentRoute: () => admin,
  path: '/import',
  component: lazyPage(() => import('./import/page.tsx'), 'ImportPage'),
});

const audit = createRoute({
  getParentRoute: () => admin,
  path: '/audit',
  validateSearch: readAuditSearch,
  component: lazyPage(() => import('./audit/page.tsx'), 'AuditPage'),
});

const outbox = createRoute({
  getParentRoute: () => admin,
  path: '/outbox',
  validateSearch: readOutboxSearch,
  component: lazyPage(() => import('./outbox/page.tsx'), 'OutboxPage'),
});

const mail = createRoute({
  getParentRoute: () => admin,
  path: '/outbox/$id',
  component: lazyPage(() => import('./mail/page.tsx'), 'MailPage'),
});

const keys = createRoute({
  getParentRoute: () => admin,
  path: '/keys',
  component: lazyPage(() => import('./keys/page.tsx'), 'KeysPage'),
});

const settings = createRoute({
  getParentRoute: () => admin,
  path: '/settings',
  validateSearch: readSettingsSearch,
  component: lazyPage(() => import('./settings/page.tsx'), 'SettingsPage'),
});

export const router = createRouter({
  routeTree: root.addChildren([
    setup,
    admin.addChildren([dashboard, users, user, invitations, importing, audit, outbox, mail, keys, settings]),
  ]),
  ...routerOptions('console'),
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
