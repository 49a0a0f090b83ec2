import { lazyRouteComponent } from '@tanstack/react-router';

/** How long a server may take to answer before it counts as away. */
const patienceMs = 10_000;

/** The file of a page could not be loaded, because the server does not answer. */
export class ServerAway extends Error {}

/** Whether there is something to show once the document is loaded anew: a page, or where to sign in first. */
export async function canReload(): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(patienceMs);
    const { status } = await fetch(location.href, { redirect: 'manual', cache: 'no-store', signal });
    return status < 500;
  } catch {
    return false;
  }
}

/**
 * A component in a file of its own. When that is missing, the router loads the document anew, once, because a newer server
 * has files of other names. While the server is away that would leave the app for the browser's own page of errors.
 */
export const lazyPage: typeof lazyRouteComponent = (load, name) =>
  lazyRouteComponent(async () => {
    try {
      return await load();
    } catch (error) {
      throw (await canReload()) ? error : new ServerAway('The server is away', { cause: error });
    }
  }, name);
