import assert from 'node:assert/strict';
import type { GivenSettings } from '../../src/settings.ts';
import type { TestResponse } from '../../src/testing/index.ts';
import { type Instance, onInstances, type Scenario } from './instances.ts';

export const password = 'SecurePass123!';
export const wrong = 'WrongPass123!';

/** A try to log in: from where, and with what a device shows. */
export interface Try {
  password?: string;
  from?: string;
  device?: string | undefined;
  headers?: Record<string, string>;
}

/** An instance that throttles, behind a proxy that tells where a request comes from. */
export interface Throttled extends Instance {
  try(username: string, options?: Try): Promise<TestResponse>;
  /** Sends a request as `request`, from another address. */
  from(address: string): Instance['request'];
}

export interface ThrottleScenario extends Omit<Scenario, 'open'> {
  open(settings?: GivenSettings): Promise<Throttled>;
}

/** Registers a test with rate limits, once for each kind of database. */
export function onThrottled(name: string, run: (scenario: ThrottleScenario) => Promise<void>): void {
  onInstances(name, (scenario) =>
    run({
      ...scenario,
      async open(settings = {}) {
        const instance = await scenario.open({
          RATE_LIMITS: 'on',
          TRUSTED_PROXIES: '127.0.0.1',
          HASH_QUEUE_LIMIT: 1000,
          ...settings,
        });
        const from: Throttled['from'] =
          (address) =>
          (method, path, options = {}) =>
            instance.request(method, path, {
              ...options,
              headers: { 'x-forwarded-for': address, ...options.headers },
            });
        return {
          ...instance,
          from,
          try: (username, { password: given = wrong, from: address = '192.0.2.1', device, headers } = {}) =>
            from(address)('POST', '/auth/login', {
              form: { username, password: given },
              headers: { ...headers, ...(device === undefined ? {} : { 'x-device-token': device }) },
            }),
        };
      },
    }),
  );
}

/** Asserts a 429, whole; returns after how many seconds to come back. */
export function assertThrottled(answer: TestResponse, policy = 'login'): number {
  assert.deepEqual(
    [answer.status, answer.body],
    [429, { detail: 'Too many requests', code: 'rate_limited' }],
    answer.text,
  );
  const { headers } = answer;
  const seconds = Number(headers['retry-after']);
  assert.ok(Number.isInteger(seconds) && seconds >= 1, headers['retry-after']);
  assert.match(headers['ratelimit-policy'] ?? '', new RegExp(`^"${policy}";q=\\d+;w=\\d+$`));
  assert.equal(headers.ratelimit, `"${policy}";r=0;t=${seconds}`);
  return seconds;
}

/** How often each status came. */
export function countStatuses(answers: readonly TestResponse[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
