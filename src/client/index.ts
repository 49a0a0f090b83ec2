import { type Client, type ClientOptions, connect } from './client.ts';
import { hostEnvironment } from './environment.ts';

export type { Api } from './api.ts';
export { ApiError, type Client, type ClientOptions } from './client.ts';
export type { ClientStorage } from './environment.ts';

/**
 * A client of one Doorward server, for browsers and Node. Clients with the same `url` in the tabs of one browser are
 * one session: they share its tokens and are signed out together, and by nothing but an answer of the server.
 */
export function createClient(options: ClientOptions): Client {
  return connect(options, hostEnvironment(options));
}
