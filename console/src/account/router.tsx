import { createRootRoute, createRoute, createRouter, Outlet } from '@tanstack/react-router';
import { lazyPage } from '../shared/lazy-page.ts';
import { routerOptions } from '../shared/router-options.tsx';

/** All pages of `/account`. The list of what a path may carry stands with it. */
const root = createRootRoute({ component: Outlet });

interface Return {
  /** Where to go afterwards; see `returnUrl`. */
  return_to?: string;
}
const readReturn = ({ return_to }: Record<string, unknown>): Return =>
  typeof return_to === 'string' ? { return_to } : {};

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: readReturn,
  component: lazyPage(() => import('./login/page.tsx'), 'LoginPage'),
});

const signUp = createRoute({
  getParentRoute: () => root,
  path: '/sign-up',
  validateSearch: readReturn,
  component: lazyPage(() => import('./sign-up/page.tsx'), 'SignUpPage'),
});

const forgotPassword = createRoute({
  getParentRoute: () => root,
  path: '/forgot-password',
  validateSearch: readReturn,
  component: lazyPage(() => import('./forgot-password/page.tsx'), 'ForgotPasswordPage'),
});

// Where links of mails lead. Their paths are known to `src/features/mail-links/mint.ts`.
const verifyEmail = createRoute({
  getParentRoute: () => root,
  path: '/verify-email',
  validateSearch: readReturn,
  component: lazyPage(() => import('./verify-email/page.tsx'), 'VerifyEmailPage'),
});

const resetPassword = createRoute({
  getParentRoute: () => root,
  path: '/reset-password',
  validateSearch: readReturn,
  component: lazyPage(() => import('./reset-password/page.tsx'), 'ResetPasswordPage'),
});

const loginByMail = createRoute({
  getParentRoute: () => root,
  path: '/login/email',
  validateSearch: readReturn,
  component: lazyPage(() => import('./login/email/page.tsx'), 'LoginByMailPage'),
});

const changeEmail = createRoute({
  getParentRoute: () => root,
  path: '/change-email',
  component: lazyPage(() => import('./change-email/page.tsx'), 'ChangeEmailPage'),
});

const undoEmailChange = createRoute({
  getParentRoute: () => root,
  path: '/undo-email-change',
  component: lazyPage(() => import('./undo-email-change/page.tsx'), 'UndoEmailChangePage'),
});

const invitation = createRoute({
  getParentRoute: () => root,
  path: '/invitation',
  component: lazyPage(() => import('./invitation/page.tsx'), 'InvitationPage'),
});

/** Pages of somebody who is signed in. */
const own = createRoute({
  getParentRoute: () => root,
  id: 'own',
  component: lazyPage(() => import('./frame.tsx'), 'AccountFrame'),
});

const profile = createRoute({
  getParentRoute: () => own,
  path: '/',
  component: lazyPage(() => import('./profile/page.tsx'), 'ProfilePage'),
});

const password = createRoute({
  getParentRoute: () => own,
  path: '/password',
  component: lazyPage(() => import('./password/page.tsx'), 'PasswordPage'),
});

const sessions = createRoute({
  getParentRoute: () => own,
  path: '/sessions',
  component: lazyPage(() => import('./sessions/page.tsx'), 'SessionsPage'),
});

const activity = createRoute({
  getParentRoute: () => own,
  path: '/activity',
  component: lazyPage(() => import('./activity/page.tsx'), 'ActivityPage'),
});

const data = createRoute({
  getParentRoute: () => own,
  path: '/data',
  component: lazyPage(() => import('./data/page.tsx'), 'DataPage'),
});

export const router = createRouter({
  routeTree: root.addChildren([
    login,
    signUp,
    forgotPassword,
    verifyEmail,
    resetPassword,
    loginByMail,
    changeEmail,
    undoEmailChange,
    invitation,
    own.addChildren([profile, password, sessions, activity, data]),
  ]),
  ...routerOptions('account'),
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
