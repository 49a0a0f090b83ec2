import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readTime } from '../../src/features/audit/index.ts';
import { withOrigin } from '../../src/origin.ts';
import { recordEach } from '../support/audit.ts';
import { assertFailure, type Journey, journey } from '../support/journey.ts';

interface Told {
  id: string;
  kind: string;
  actor: number | null;
  user_id: number | null;
  network: string | null;
}

/** All pages of a list, and how many there were. */
async function readAll(
  { request }: Journey,
  path: string,
  token: string,
): Promise<{ events: Told[]; pages: number }> {
  const events: Told[] = [];
  let pages = 0;
  for (let next: string | undefined = path; next !== undefined; ) {
    const answer = await request('GET', next, { token });
    assert.equal(answer.status, 200, answer.text);
    events.push(...answer.body);
    pages++;
    next = /^<(.*)>; rel="next"$/.exec(answer.headers.link ?? '')?.[1];
  }
  return { events, pages };
}

journey(
  'administrators see everything, the newest first, filtered as they ask, page by page',
  async (open) => {
    const instance = await open();
    const admin = await instance.signIn({ is_admin: true });
    for (let round = 0; round < 10; round++) {
      for (const [user_id, actor] of [
        [101, 101],
        [102, 7],
        [103, null],
      ] as const) {
        const origin = { via: 'http', actor, network: '203.0.113.9', request_id: 'r' } as const;
        await withOrigin(origin, () =>
          recordEach(instance, [
            { user_id },
            { kind: 'login.failed', user_id, detail: { reason: 'password' } },
          ]),
        );
      }
      instance.clock.advance(3600);
    }
    const token = (await instance.logIn(admin.email)).body.access_token;
    const all = await readAll(instance, '/auth/audit-events?limit=200', token);
    const sorted = all.events.toSorted((a, b) => (a.id < b.id ? 1 : -1));
    assert.deepEqual(all.events, sorted);
    assert.ok(all.events.length >= 62);

    const time = (hour: number) =>
      new Date(Date.parse('2026-01-01T12:00:00Z') + hour * 3_600_000).toISOString();
    const filters: [query: string, fits: (event: Told & { result: string; time: string }) => boolean][] = [
      ['user_id=101', (event) => event.user_id === 101],
      ['actor=7', (event) => event.actor === 7],
      ['kind=login.failed', (event) => event.kind === 'login.failed'],
      ['result=failure', (event) => event.result === 'failure'],
      ['user_id=102&kind=login.failed', (event) => event.user_id === 102 && event.kind === 'login.failed'],
      ['user_id=101&actor=7', () => false],
      ['user_id=99999999999999999999', () => false],
      [`from=${time(3)}`, (event) => event.time >= time(3)],
      [`to=${time(3)}`, (event) => event.time < time(3)],
      [
        `from=${time(2)}&to=${time(5)}&user_id=103`,
        (event) => event.time >= time(2) && event.time < time(5) && event.user_id === 103,
      ],
      ['from=2026-01-01T15:00:00%2B02:00&to=2026-01-01', () => false],
      ['to=2026-01-02', (event) => event.time < '2026-01-02'],
    ];
    for (const [query, fits] of filters) {
      const expected = (all.events as (Told & { result: string; time: string })[]).filter(fits);
      for (const limit of [1, 7, 200]) {
        const found = await readAll(instance, `/auth/audit-events?${query}&limit=${limit}`, token);
        assert.deepEqual(found.events, expected, `${query}&limit=${limit}`);
        assert.equal(found.pages, Math.max(1, Math.ceil(expected.length / limit)), `${query}&limit=${limit}`);
      }
    }
  },
);

journey('what is no filter is 422, and who is no admin sees nothing', async (open) => {
  const instance = await open();
  const { request } = instance;
  const [admin, user] = [await instance.signIn({ is_admin: true }), await instance.signIn()];
  for (const query of [
    'user_id=x',
    'actor=1.5',
    'kind=login',
    'kind=',
    'result=maybe',
    'limit=0',
    'limit=201',
    'cursor=x',
    'cursor=',
    'from=yesterday',
    'to=2026-13-01',
    'from=2026-02-30',
    'from=2026-01-01T12:00:00',
    'from=1&from=2',
    'to=%00',
    `cursor=${'0'.repeat(64)}`,
    'cursor=019b796d-d600-7004-bc4d-f6494d0fe7a8%27--',
  ]) {
    // biome-ignore format: a list
    const answer = await request('GET', `/auth/audit-events?${query}`, { token: admin.access_token });
    assert.equal(answer.status, 422, query);
    assert.equal(answer.body.code, 'validation_error');
  }
  for (const path of ['/auth/audit-events', '/auth/audit-events/export']) {
    const asUser = await request('GET', path, { token: user.access_token });
    assertFailure(asUser, 403, 'Admin privileges required', 'admin_required');
    assert.equal((await request('GET', path)).status, 401);
  }
  assert.equal((await request('GET', '/auth/me/activity')).status, 401);
  assert.equal(
    (await request('GET', '/auth/me/activity?cursor=x', { token: user.access_token })).status,
    422,
  );
});

journey('a user sees what happened to their own account, and not where administrators are', async (open) => {
  const instance = await open();
  const [admin, user, other] = [
    await instance.signIn({ is_admin: true }),
    await instance.signIn(),
    await instance.signIn(),
  ];
  const as = (actor: number | null, network: string) =>
    ({ via: 'http', actor, network, request_id: 'r' }) as const;
  await withOrigin(as(admin.id, '10.0.0.1'), () => recordEach(instance, [{ user_id: user.id }]));
  await withOrigin(as(user.id, '203.0.113.9'), () => recordEach(instance, [{ user_id: user.id }]));
  await withOrigin(as(null, '198.51.100.1'), () =>
    recordEach(instance, [{ kind: 'login.failed', user_id: user.id }]),
  );
  // Done by the user, but to somebody else; and nothing to do with the user at all.
  await withOrigin(as(user.id, '203.0.113.9'), () => recordEach(instance, [{ user_id: other.id }]));
  await withOrigin(as(admin.id, '10.0.0.1'), () => recordEach(instance, [{ user_id: other.id }]));

  const { events } = await readAll(instance, '/auth/me/activity?limit=2', user.access_token);
  assert.ok(events.every(({ user_id }) => user_id === user.id));
  assert.deepEqual(
    events.slice(0, 3).map(({ kind, actor, network }) => [kind, actor, network]),
    [
      ['login.failed', null, '198.51.100.1'],
      ['user.updated', user.id, '203.0.113.9'],
      ['user.updated', admin.id, null],
    ],
  );
  assert.ok(!JSON.stringify(events).includes('10.0.0.1'));
  const forAdmin = await readAll(instance, `/auth/audit-events?user_id=${user.id}`, admin.access_token);
  assert.deepEqual(
    forAdmin.events.map(({ id }) => id),
    events.map(({ id }) => id),
  );
  assert.ok(JSON.stringify(forAdmin.events).includes('10.0.0.1'));

  await instance.doorward.admin.change(user.id, { is_active: false });
  const refused = await instance.request('GET', '/auth/me/activity', { token: user.access_token });
  assert.notEqual(refused.status, 200);
});

journey('the export over HTTP is the one of the command line, and can be read in part', async (open) => {
  const instance = await open();
  const { verifyExport } = await import('../../src/features/audit/index.ts');
  const { access_token: token } = await instance.signIn({ is_admin: true });
  await recordEach(
    instance,
    Array.from({ length: 40 }, (_, index) => ({ user_id: index })),
  );
  const answer = await instance.app.inject({
    url: '/auth/audit-events/export',
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.headers['content-type'], 'application/x-ndjson');
  assert.ok(answer.payload.endsWith('\n'));
  const lines = answer.payload.trimEnd().split('\n');
  const { public_key: publicKey } = await instance.doorward.audit.verify();
  const result = await verifyExport({ lines, publicKey });
  assert.deepEqual([result.findings, result.events >= 40], [[], true]);
  const refused = await instance.app.inject({
    url: '/auth/audit-events/export?from=never',
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(refused.statusCode, 422);
});

describe('a point in time', () => {
  const scenarios: [text: string, iso: string | undefined][] = [
    ['2026-01-02', '2026-01-02T00:00:00.000Z'],
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000Z'],
    ['2026-01-02t03:04:05.123456z', '2026-01-02T03:04:05.123Z'],
    ['2026-01-02 03:04:05+02:00', '2026-01-02T01:04:05.000Z'],
    ['0001-01-01', '0001-01-01T00:00:00.000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
    ['2026-02-29', undefined],
    ['2026-01-02T03:04:05', undefined],
    ['2026-01-02T24:00:01Z', undefined],
    ['2026-1-2', undefined],
    ['01/02/2026', undefined],
    ['1767225600', undefined],
    ['', undefined],
  ];
  for (const [text, iso] of scenarios) {
    it(`${text} is ${iso ?? 'none'}`, () => assert.equal(readTime(text)?.toISOString(), iso));
  }
});
