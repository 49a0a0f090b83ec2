import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
} from '@tanstack/react-router';
import { config } from '../shared/config.ts';
import { NotFound } from '../shared/not-found.tsx';

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

export const router = createRouter({
  routeTree: root.addChildren([admin.addChildren([dashboard])]),
  basepath: `${config.base}/console`,
  defaultPreload: 'intent',
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
