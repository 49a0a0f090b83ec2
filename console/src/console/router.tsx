import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
} from '@tanstack/react-router';
import { config } from '../shared/config.ts';
import { NotFound } from '../shared/not-found.tsx';
import { readTab } from './user/tab.ts';
import { readUsersSearch } from './users/search.ts';

/** All pages of `/console`. What a page keeps in its path and query stands with it. */
const root = createRootRoute({ component: Outlet, notFoundComponent: () => <NotFound home="/" /> });

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
  validateSearch: ({ tab }: Record<string, unknown>) => ({ tab: readTab(tab) }),
  component: lazyRouteComponent(() => import('./user/page.tsx'), 'UserPage'),
});

export const router = createRouter({
  routeTree: root.addChildren([admin.addChildren([dashboard, users, user])]),
  basepath: `${config.base}/console`,
  defaultPreload: 'intent',
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
