import type { Api } from './api.ts';
import type { ClientStorage, Environment } from './environment.ts';

export interface ClientOptions {
  /** Where the server is, e.g. `https://accounts.example.com`; in a browser it may be relative to the page. */
  url: string;
  /** Where the endpoints are mounted; `/auth` unless told. */
  prefix?: string;
  /** By default localStorage in a browser and memory elsewhere. */
  storage?: ClientStorage;
  /** `body`: tokens are kept in `storage`. `cookie`: in cookies that no script can read. */
  transport?: 'body' | 'cookie';
  /** Called once in every tab when the session is over: logged out, revoked or expired. */
  onSignedOut?: () => void;
}

export interface Client {
  /** @throws ApiError as the server answers, e.g. 401 `invalid_credentials`. */
  login(email: string, password: string): Promise<void>;
  /** Logs in by the link or the code of a mail (`EMAIL_LOGIN`). @throws ApiError as the server answers. */
  loginByMail(proof: Api['POST /auth/login/email/verify']['body']): Promise<void>;
  /** Makes an account; does not log in. @throws ApiError as the server answers, e.g. 409 `email_registered`. */
  signup(account: Api['POST /auth/signup']['body']): Promise<Api['POST /auth/signup']['response']>;
  /**
   * Gets new tokens, once for all who ask at a time, and asks again where replies are lost.
   * @throws ApiError 401 `invalid_refresh_token` when the session is over; anything else leaves it as it was.
   */
  refresh(): Promise<void>;
  /**
   * As `fetch`, with the session: tokens are renewed before they expire, and after a 401, when the request is sent
   * once more if its body can be. `path` starts with a slash, or is a URL of the server's origin. `signal` ends the wait
   * for new tokens as well, though not their renewal.
   * @throws TypeError for another origin, or when the network fails.
   */
  fetch(path: string | URL, init?: RequestInit): Promise<Response>;
  /** Ends the session on the server and forgets it here. When that fails, nothing has changed: ask again. */
  logout(): Promise<void>;
}

/** A failure that the server reported. `detail` is a text, or a list of faults when `status` is 422. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** From the server's closed list; `unknown` when something else answered in its place. */
  readonly code: string;
  readonly detail: unknown;

  constructor(status: number, code: string, detail: unknown) {
    super(typeof detail === 'string' ? detail : code);
    this.status = status;
    this.code = code;
    this.detail = detail;
  }
}

/** What the device shows at the next login, to get in while the account is under attack. It outlives the session. */
interface Device {
  device_token?: string;
}

/** What is in the store while somebody is signed in. With cookies it holds no tokens, only that there are some. */
interface Kept extends Device {
  /** Differs each time that tokens are put into the store. */
  id: string;
  access_token?: string;
  refresh_token?: string;
  expires_in: number;
  /** By the local clock, right or wrong, when they were asked for. */
  asked_at: number;
}

/**
 * A reply that took longer is as good as lost, and is asked for again: after a machine slept, another tab may have
 * sent what this reply replaces. Half of the server's default grace; see docs/sessions.md.
 */
const replyLimitMs = 5_000;
const tries = 5;
const firstPauseMs = 250;
const longestPauseMs = 30_000;
/** Whoever holds the lock may be frozen. Without it the server's rule is enough, with more requests. */
const lockWaitMs = 30_000;
const longestMarginMs = 30_000;

export function connect(options: ClientOptions, environment: Environment): Client {
  const { prefix = '/auth', onSignedOut } = options;
  const usesCookies = options.transport === 'cookie';
  const { storage, locks, tabs } = environment;
  const server = new URL(options.url, globalThis.location?.href);
  const base = server.href.replace(/\/$/, '');
  const transportQuery = usesCookies ? '?transport=cookie' : '';

  let isSignedIn = false;
  /** Tokens that another tab says are over; the store may show them for a moment longer. */
  let endedId: string | undefined;
  /** When this process first saw the tokens, by the clock that nobody can set. */
  let seen = { id: '', at: 0 };
  let renewing: Promise<Kept | undefined> | undefined;

  function note(kept: Kept | undefined): Kept | undefined {
    const wasSignedIn = isSignedIn;
    isSignedIn = kept !== undefined;
    if (kept !== undefined && kept.id !== seen.id) seen = { id: kept.id, at: environment.monotonic() };
    if (wasSignedIn && !isSignedIn && onSignedOut) queueMicrotask(onSignedOut);
    return kept;
  }

  async function readDevice(): Promise<Device> {
    const { device_token } = parse<Device>(await storage.get()) ?? {};
    return device_token === undefined ? {} : { device_token };
  }

  async function read(): Promise<Kept | undefined> {
    const kept = parse(await storage.get());
    return note(kept?.id === undefined || kept.id === endedId ? undefined : kept);
  }

  async function keep(answer: TokenAnswer, askedAt: number): Promise<Kept> {
    const { access_token, refresh_token, expires_in, device_token } = answer;
    const id = environment.random().toString(36).slice(2);
    const device = device_token === undefined ? await readDevice() : { device_token };
    const tokens = usesCookies ? {} : { access_token, refresh_token, ...device };
    const kept = { id, ...tokens, expires_in, asked_at: askedAt } as Kept;
    // In the store before it is used: no tab shows the old token once the server has seen the new one.
    await storage.set(JSON.stringify(kept));
    tabs?.post({});
    return note(kept) as Kept;
  }

  async function forget(kept: Kept | undefined): Promise<void> {
    const device = await readDevice();
    if (device.device_token === undefined) await storage.remove();
    else await storage.set(JSON.stringify(device));
    tabs?.post(kept === undefined ? {} : { ended: kept.id });
    note(undefined);
  }

  tabs?.listen(({ ended }) => {
    if (ended !== undefined) endedId = ended;
    read().catch(() => {});
  });
  read().catch(() => {});

  /** Whether the access token is about to expire, as far as the clocks can tell. A 401 tells for certain. */
  function isDue({ id, expires_in, asked_at }: Kept): boolean {
    const byWall = environment.wall() - asked_at;
    const bySeen = id === seen.id ? environment.monotonic() - seen.at : 0;
    const lifetimeMs = expires_in * 1000;
    return Math.max(byWall, bySeen) >= lifetimeMs - Math.min(longestMarginMs, lifetimeMs / 5);
  }

  /** Posts to one of the endpoints that give tokens. A redirect is refused: it would carry them elsewhere. */
  function post(path: string, body: object, signal?: AbortSignal, headers = {}): Promise<Response> {
    return environment.fetch(base + prefix + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      redirect: 'error',
      cache: 'no-store',
      credentials: usesCookies ? 'include' : 'omit',
      ...(signal ? { signal } : {}),
    });
  }

  /** Runs `work` in one tab at a time, where tabs can agree on that. */
  async function exclusively<T>(work: () => Promise<T>): Promise<T> {
    if (!locks) return work();
    let outcome: Promise<T> | undefined;
    const signal = environment.timeout(lockWaitMs);
    try {
      await locks.request(`doorward ${base}`, { signal }, () => {
        outcome = work();
        return outcome;
      });
    } catch (error) {
      if (outcome === undefined && !signal.aborted) throw error;
    }
    return outcome ?? work();
  }

  /** Replaces the tokens `from`, or takes those that have replaced them. Undefined when the session is over. */
  function renew(from: Kept | undefined): Promise<Kept | undefined> {
    renewing ??= exclusively(() => renewNow(from)).finally(() => {
      renewing = undefined;
    });
    return renewing;
  }

  async function renewNow(from: Kept | undefined): Promise<Kept | undefined> {
    for (let left = tries - 1; ; left--) {
      // Each try starts from the store: another tab may have been faster.
      const kept = await read();
      if (kept?.id !== from?.id || (kept === undefined && !usesCookies)) return kept;

      const outcome = await askForTokens(kept);
      if (outcome.answer !== undefined) {
        // Never over what another tab has put there meanwhile; it is newer than an answer to older tokens.
        const now = await read();
        return now?.id === kept?.id ? keep(outcome.answer, outcome.askedAt) : now;
      }
      const { error, pauseMs } = outcome;
      if (error instanceof ApiError && error.code === 'invalid_refresh_token') {
        const now = await read();
        if (now !== undefined && now.id !== kept?.id) return now;
        await forget(kept);
        return undefined;
      }
      if (left <= 0 || pauseMs === undefined) throw error;
      const backOffMs = firstPauseMs * 2 ** (tries - left) * environment.random();
      await environment.sleep(Math.min(longestPauseMs, Math.max(pauseMs, backOffMs)));
    }
  }

  type Outcome =
    | { answer: TokenAnswer; askedAt: number }
    /** `pauseMs`: how long to wait at least before it is worth trying again; undefined when it is not. */
    | { answer?: undefined; error: unknown; pauseMs: number | undefined };

  async function askForTokens(kept: Kept | undefined): Promise<Outcome> {
    const askedAt = environment.wall();
    const began = environment.monotonic();
    const body = usesCookies ? {} : { refresh_token: kept?.refresh_token };
    try {
      const response = await post(`/refresh${transportQuery}`, body, environment.timeout(replyLimitMs));
      if (!response.ok) {
        const { status, headers } = response;
        const pauseMs =
          status >= 500 || status === 429 ? retryAfterMs(headers, environment.wall()) : undefined;
        return { error: await apiError(response), pauseMs };
      }
      const answer = parse<TokenAnswer>(await response.text());
      // A cookie is in the browser's jar already, however late.
      const tookMs = Math.max(environment.monotonic() - began, environment.wall() - askedAt);
      if (usesCookies ? answer?.token_type === 'cookie' : answer?.refresh_token && tookMs <= replyLimitMs) {
        return { answer: answer as TokenAnswer, askedAt };
      }
      // A page of a hotel's network, or a reply that is too late.
      return {
        error: new ApiError(response.status, 'unknown', 'No timely answer to the refresh'),
        pauseMs: 0,
      };
    } catch (error) {
      return { error, pauseMs: 0 };
    }
  }

  function locate(path: string | URL): string {
    const text = String(path);
    const target = new URL(text.startsWith('/') ? base + text : text);
    if (target.origin !== server.origin) throw new TypeError(`${target.origin} is not ${server.origin}`);
    return target.href;
  }

  function send(url: string, init: RequestInit, kept: Kept | undefined): Promise<Response> {
    if (usesCookies) return environment.fetch(url, { ...init, credentials: 'include' });
    const headers = new Headers(init.headers);
    if (kept?.access_token) headers.set('authorization', `Bearer ${kept.access_token}`);
    return environment.fetch(url, { ...init, headers });
  }

  async function fetchWithSession(path: string | URL, init: RequestInit = {}): Promise<Response> {
    const url = locate(path);
    const { signal } = init;
    signal?.throwIfAborted();
    let kept = await read();
    if (kept !== undefined && isDue(kept)) {
      try {
        kept = await unlessAborted(renew(kept), signal);
      } catch {
        signal?.throwIfAborted();
        // Nobody is signed out by that; the token may still be good, or the failure shows now.
        return send(url, init, kept);
      }
    }
    const response = await send(url, init, kept);
    if (response.status !== 401 || (kept === undefined && !usesCookies)) return response;
    const renewed = await unlessAborted(renew(kept), signal).catch(() => undefined);
    signal?.throwIfAborted();
    if (renewed === undefined || !canSendAgain(init.body)) return response;
    // A body that was cut off meanwhile fails to be cancelled; nobody wants it.
    await response.body?.cancel().catch(() => {});
    return send(url, init, renewed);
  }

  /** Not while tokens are renewed: the answer to that could take the new ones away. */
  function openSession(path: string, proof: object): Promise<void> {
    return exclusively(async () => {
      const askedAt = environment.wall();
      const { device_token } = await readDevice();
      const headers = device_token === undefined ? {} : { 'x-device-token': device_token };
      const response = await post(path + transportQuery, proof, undefined, headers);
      if (!response.ok) throw await apiError(response);
      await keep(await response.json(), askedAt);
    });
  }

  return {
    fetch: fetchWithSession,

    login: (email, password) => openSession('/login', { username: email, password }),
    loginByMail: (proof) => openSession('/login/email/verify', proof),

    async signup(account) {
      const response = await post('/signup', account);
      if (!response.ok) throw await apiError(response);
      return response.json();
    },

    async refresh() {
      if ((await renew(await read())) === undefined) {
        throw new ApiError(401, 'invalid_refresh_token', 'Invalid refresh token');
      }
    },

    async logout() {
      if ((await read()) === undefined && !usesCookies) return;
      const response = await fetchWithSession(`${prefix}/logout`, { method: 'POST' });
      if (!response.ok && response.status !== 401) {
        const error = await apiError(response);
        // Deactivation has ended the session.
        if (error.code !== 'inactive_user') throw error;
      }
      await forget(await read());
    },
  };
}

type TokenAnswer = Api['POST /auth/login']['response'] &
  Device & { access_token?: string; refresh_token?: string };

/** Gives up waiting with the signal's reason. The work goes on: others wait for it as well. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal?.reason);
    signal?.addEventListener('abort', giveUp);
    const settle = () => signal?.removeEventListener('abort', giveUp);
    work.finally(settle).then(resolve, reject);
    if (signal?.aborted) giveUp();
  });
}

/** JSON, or undefined for what is none. */
function parse<T = Kept>(text: string | null | undefined): T | undefined {
  try {
    return JSON.parse(text ?? '') ?? undefined;
  } catch {
    return undefined;
  }
}

async function apiError(response: Response): Promise<ApiError> {
  const answer = parse<{ code?: string; detail?: unknown }>(await response.text());
  return new ApiError(response.status, answer?.code ?? 'unknown', answer?.detail ?? response.statusText);
}

/** RFC 9110, 10.2.3: seconds or a date. */
function retryAfterMs(headers: Headers, now: number): number {
  const value = headers.get('retry-after') ?? '0';
  return Number(value) * 1000 || Math.max(0, Date.parse(value) - now) || 0;
}

/** A stream is gone once it is sent. */
function canSendAgain(body: RequestInit['body']): boolean {
  return typeof body !== 'object' || body === null || !('getReader' in body || Symbol.asyncIterator in body);
}
