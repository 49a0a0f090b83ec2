import { config } from './config.ts';
import { NotFound } from './not-found.tsx';
import { PageFailure } from './page-failure.tsx';

/** What the routers of both documents have in common. */
export const routerOptions = (document: 'account' | 'console') =>
  ({
    basepath: `${config.base}/${document}`,
    defaultPreload: 'intent',
    defaultErrorComponent: PageFailure,
    defaultNotFoundComponent: () => <NotFound home="/" />,
  }) as const;
