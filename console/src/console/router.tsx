import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
} from '@tanstack/react-router';
import { config } from '../shared/config.ts';
import { NotFound } from '../shared/not-found.tsx';
import { readTab, type Tab } from './user/tab.ts';
import { readUsersSearch } from './users/search.ts';

/** All pages of `/console`. What a page keeps in its path and query stands with it. */
const root = createRootRoute({ component: Outlet, notFoundComponent: () => <NotFound home="/" /> });

const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  component: lazyRouteComponent(() => import('./setup/page.tsx'), 'SetupPage'),
});

/** Pages of administrators. */
const admin = createRoute({
  getParentRoute: () => root,
  id: 'admin',
  component: lazyRouteComponent(() => import('./frame.tsx'), 'ConsoleFrame'),
});

const dashboard = createRoute({
  getParentRoute: () => admin,
  path: '/',
  component: lazyRouteComponent(() => import('./dashboard/page.tsx'), 'DashboardPage'),
});

const users = createRoute({
  getParentRoute: () => admin,
  path: '/users',
  validateSearch: readUsersSearch,
  component: lazyRouteComponent(() => import('./users/page.tsx'), 'UsersPage'),
});

const user = createRoute({
  getParentRoute: () => admin,
  path: '/users/$id',
  validateSearch: ({ tab }: Record<string, unknown>): { tab?: Tab | undefined } => ({ tab: readTab(tab) }),
  component: lazyRouteComponent(() => import('./user/page.tsx'), 'UserPage'),
});

const invitations = createRoute({
  getParentRoute: () => admin,
  path: '/invitations',
  component: lazyRouteComponent(() => import('./invitations/page.tsx'), 'InvitationsPage'),
});

const importing = createRoute({
  getParentRoute: () => admin,
  path: '/import',
  component: lazyRouteComponent(() => import('./import/page.tsx'), 'ImportPage'),
});

export const router = createRouter({
  routeTree: root.addChildren([setup, admin.addChildren([dashboard, users, user, invitations, importing])]),
  basepath: `${config.base}/console`,
  defaultPreload: 'intent',
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
