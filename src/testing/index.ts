import type { FastifyInstance, InjectOptions } from 'fastify';
import { type Doorward, serve } from '../app.ts';
import { createCore } from '../doorward.ts';
import type { ReadMail } from '../features/outbox/index.ts';
import type { GivenSettings } from '../settings.ts';

/** A clock that stands still until it is moved. */
export interface TestClock {
  now(): Date;
  /** Moves the clock on. */
  advance(seconds: number): void;
}

/** The least that Argon2id takes: some microseconds, so that tests do not wait for hashes. */
const freeHashes = { memoryKib: 8, passes: 1, lanes: 1 };
/** The least that OWASP allows, for what is left open by a test that names some of these settings. */
const cheapHashes = { ARGON2_MEMORY_KIB: 7168, ARGON2_PASSES: 5, ARGON2_LANES: 1 };

/**
 * An instance for tests: in memory unless DATABASE_URL says otherwise, on a clock that stands still, without a log and
 * without rate limits. Its password hashes cost next to nothing, unless a setting says what they cost.
 */
export interface TestDoorward {
  readonly doorward: Doorward;
  readonly clock: TestClock;
  readonly app: FastifyInstance;
  /** Sends a request without a network. `json` and `form` are bodies; `token` is the access token to send. */
  request(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    options?: {
      json?: unknown;
      form?: Record<string, string>;
      token?: string;
      headers?: Record<string, string>;
    },
  ): Promise<TestResponse>;
  /** Makes an account and logs in. */
  signIn(account?: { email?: string; password?: string; name?: string; is_admin?: boolean }): Promise<{
    id: number;
    email: string;
    password: string;
    access_token: string;
    refresh_token: string;
  }>;
  /** The mails that were written so far, the oldest first, with what is in them for whoever gets them. */
  mails(): Promise<CaughtMail[]>;
  close(): Promise<void>;
}

/** A mail as its reader has it. Without MAIL_URL none is sent, and all are kept. */
export interface CaughtMail extends ReadMail {
  /** Of the link in it, and the code, as a page of yours would send them. */
  readonly token: string | undefined;
  readonly code: string | undefined;
}

export interface TestResponse {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
}

let accounts = 0;

/** Opens an instance for tests. Whoever opens it closes it. */
export async function createTestDoorward(
  settings: GivenSettings = {},
  options: { now?: Date } = {},
): Promise<TestDoorward> {
  let time = (options.now ?? new Date('2026-01-01T12:00:00Z')).getTime();
  const clock: TestClock = {
    now: () => new Date(time),
    advance: (seconds) => {
      time += seconds * 1000;
    },
  };
  const namesHashCost = Object.keys(cheapHashes).some((name) => name in settings);
  const core = await createCore(
    {
      DATABASE_URL: 'sqlite::memory:',
      LOG_LEVEL: 'silent',
      RATE_LIMITS: 'off',
      ...(namesHashCost ? cheapHashes : {}),
      ...settings,
    },
    { clock },
    namesHashCost ? undefined : freeHashes,
  );
  const doorward = await serve(core);
  const app = await doorward.app();

  const request: TestDoorward['request'] = async (method, path, { json, form, token, headers = {} } = {}) => {
    const sent: InjectOptions = { method, url: path, headers: { ...headers } };
    if (token !== undefined) sent.headers = { ...sent.headers, authorization: `Bearer ${token}` };
    if (json !== undefined) {
      sent.headers = { 'content-type': 'application/json', ...sent.headers };
      sent.payload = JSON.stringify(json);
    } else if (form !== undefined) {
      sent.headers = { 'content-type': 'application/x-www-form-urlencoded', ...sent.headers };
      sent.payload = new URLSearchParams(form).toString();
    }
    const answer = await app.inject(sent);
    const isJson = /\bjson\b/.test(String(answer.headers['content-type'] ?? ''));
    return {
      status: answer.statusCode,
      headers: answer.headers as Record<string, string>,
      text: answer.payload,
      body: isJson && answer.payload !== '' ? JSON.parse(answer.payload) : undefined,
    };
  };

  return {
    doorward,
    clock,
    app,
    request,
    async signIn(account = {}) {
      const email = account.email ?? `user${++accounts}@example.com`;
      const password = account.password ?? 'SecurePass123!';
      const { name = 'Test User', is_admin = false } = account;
      const { id } = await doorward.admin.create({ email, password, name, is_admin });
      const tokens = await doorward.sessions.logIn({
        username: email,
        password,
        client: { network: '127.0.0.1', userAgent: 'test' },
      });
      return { id, email, password, access_token: tokens.access_token, refresh_token: tokens.refresh_token };
    },
    async mails() {
      const { outbox } = doorward;
      await outbox.work();
      const caught: CaughtMail[] = [];
      for (let cursor: string | undefined; ; ) {
        const page = await outbox.list({ limit: 200, ...(cursor === undefined ? {} : { cursor }) });
        for (const { id } of page.mails) {
          const mail = await outbox.read(id);
          const [, token] = /#token=([\w-]+)/.exec(mail.text) ?? [];
          const [, start, end] = /(?<![\d\w-])(\d{3})[ \u00a0](\d{3})(?!\d)/.exec(mail.text) ?? [];
          caught.push({ ...mail, token, code: start && end && start + end });
        }
        cursor = page.next;
        if (cursor === undefined) return caught.reverse();
      }
    },
    close: () => doorward.close(),
  };
}
