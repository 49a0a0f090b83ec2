import { AsyncLocalStorage } from 'node:async_hooks';

/** Who caused what is being done, and from where: what an audit event tells beside what happened. */
export interface Origin {
  readonly via: 'http' | 'command_line' | 'system';
  /** The id of the user who asks; null for somebody who is not signed in, the command line and the program itself. */
  readonly actor: number | null;
  /** The client's address. */
  readonly network: string | null;
  readonly request_id: string | null;
  /** What the client says of itself and of the languages it wants; null where nobody asks. */
  readonly user_agent?: string | null;
  readonly languages?: string | null;
  /** The mark of the browser that asks for a mail: see `http/browser.ts`. */
  readonly mark?: string | null;
}

/** What a timer does, or an embedding program that calls the features itself. */
const system: Origin = {
  via: 'system',
  actor: null,
  network: null,
  request_id: null,
  user_agent: null,
  languages: null,
  mark: null,
};

const storage = new AsyncLocalStorage<Origin>();

/** Runs `work`, and all that it starts, on behalf of `origin`. */
export function withOrigin<T>(origin: Origin, work: () => T): T {
  return storage.run(origin, work);
}

/** On whose behalf the code runs. */
export function currentOrigin(): Origin {
  return storage.getStore() ?? system;
}
