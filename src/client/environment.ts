/** Where a client keeps one JSON text, the tokens. In the browser all tabs must see the same one. */
export interface ClientStorage {
  get(): string | null | undefined | Promise<string | null | undefined>;
  set(text: string): void | Promise<void>;
  remove(): void | Promise<void>;
}

/** What a tab tells the others: that the store changed, or which tokens are over. Never a token. */
export interface TabMessage {
  ended?: string;
}

/** What a client needs of the machine it runs on. Times are in milliseconds. */
export interface Environment {
  readonly storage: ClientStorage;
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Web Locks, where tabs share them. */
  readonly locks:
    | {
        request(
          name: string,
          options: { signal: AbortSignal },
          work: () => Promise<unknown>,
        ): Promise<unknown>;
      }
    | undefined;
  /** To the other tabs and from them; also called without a message when the store may have changed. */
  readonly tabs:
    | { post(message: TabMessage): void; listen(hear: (message: TabMessage) => void): void }
    | undefined;
  /** Never set back, but may stand still while the machine sleeps. */
  monotonic(): number;
  /** May be wrong, and may be set at any time. */
  wall(): number;
  sleep(milliseconds: number): Promise<void>;
  /** Aborts after a time. */
  timeout(milliseconds: number): AbortSignal;
  /** From 0 up to 1. */
  random(): number;
}

function memoryStorage(): ClientStorage {
  let kept: string | undefined;
  return {
    get: () => kept,
    set(text) {
      kept = text;
    },
    remove() {
      kept = undefined;
    },
  };
}

function browserStorage(name: string): ClientStorage {
  return {
    get: () => localStorage.getItem(name),
    set: (text) => localStorage.setItem(name, text),
    remove: () => localStorage.removeItem(name),
  };
}

function browserTabs(name: string): Environment['tabs'] {
  const channel = 'BroadcastChannel' in globalThis ? new BroadcastChannel(name) : undefined;
  return {
    post: (message) => channel?.postMessage(message),
    listen(hear) {
      channel?.addEventListener('message', (event) => hear(event.data));
      globalThis.addEventListener?.('storage', (event) => {
        if (event.key === name || event.key === null) hear({});
      });
    },
  };
}

/** The browser or Node. In Node each client is alone: many users may have theirs in one process. */
export function hostEnvironment(options: { url: string; storage?: ClientStorage }): Environment {
  const isBrowser = 'window' in globalThis || 'WorkerGlobalScope' in globalThis;
  const name = `doorward ${options.url}`;
  const canKeep = isBrowser && 'localStorage' in globalThis;
  return {
    storage: options.storage ?? (canKeep ? browserStorage(name) : memoryStorage()),
    fetch: (url, init) => fetch(url, init),
    locks: isBrowser ? navigator.locks : undefined,
    tabs: isBrowser ? browserTabs(name) : undefined,
    monotonic: () => performance.now(),
    wall: () => Date.now(),
    sleep: (milliseconds) => new Promise((wake) => setTimeout(wake, milliseconds)),
    timeout: (milliseconds) => AbortSignal.timeout(milliseconds),
    random: Math.random,
  };
}
