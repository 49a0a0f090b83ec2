import assert from 'node:assert/strict';
import { type Instance, onInstances } from '../support/instances.ts';

interface Day {
  day: string;
  sign_ups: number;
  logins: number;
  failed_logins: number;
  throttled: number;
  active_users: number;
}

const password = 'SecurePass123!';
const day = 86_400;

/** The days that are not empty, as lists, and the rest of the answer. */
async function read(a: Instance, token: string, query = '') {
  const answer = await a.request('GET', `/auth/statistics${query}`, { token });
  assert.equal(answer.status, 200, answer.text);
  const days: Day[] = answer.body.days;
  const counted = days
    .map(({ day, ...counts }) => [day, ...Object.values(counts)])
    .filter(([, ...counts]) => counts.some((count) => count !== 0));
  return { ...answer.body, days, counted };
}

onInstances('each day is counted, and stays counted when its events are gone', async (s) => {
  const settings = {
    RATE_LIMITS: 'on',
    THROTTLE_NETWORK_FAILURES_PER_HOUR: 2,
    AUDIT_RETENTION_DAYS: 1,
  } as const;
  const a = await s.open(settings);
  const b = await s.open(settings);
  const admin = await a.signIn({ is_admin: true });
  const fail = () => a.request('POST', '/auth/login', { form: { username: 'x@example.com', password: 'x' } });
  const signUp = (email: string) =>
    a.request('POST', '/auth/signup', { json: { email, password, name: 'X' } });

  assert.equal((await signUp('ann@example.com')).status, 201);
  assert.equal((await signUp('bob@example.com')).status, 201);
  const ann = await a.logIn('ann@example.com');
  await a.logIn('ann@example.com');
  await b.logIn('bob@example.com');
  for (const status of [401, 401, 429]) assert.equal((await fail()).status, status);
  await b.doorward.statistics.flush();
  const first = await read(a, admin.access_token);
  const newYear = '2026-01-01';
  assert.equal(first.days.length, 30);
  assert.deepEqual([first.days[0].day, first.days[29].day], ['2025-12-03', newYear]);
  // The administrator's login is one.
  assert.deepEqual(first.counted, [[newYear, 2, 4, 2, 1, 3]]);
  assert.deepEqual(first.totals, { users: 3, active: 3, admins: 1, unverified: 2, scheduled: 0 });

  // A refresh is activity, and no login.
  s.advance(day);
  const { access_token } = await a.refreshed(ann.refresh_token);
  assert.equal((await a.me(access_token)).status, 200);
  await a.refreshed((await a.refreshed(ann.refresh_token)).refresh_token);
  const token = (await a.logIn(admin.email)).access_token;
  // What another instance has not written down yet is missing, but for who logged in.
  assert.deepEqual((await read(b, token)).counted, [
    [newYear, 2, 4, 2, 1, 3],
    ['2026-01-02', 0, 1, 0, 0, 1],
  ]);
  await a.doorward.statistics.flush();
  s.advance(15);
  const counted = [
    [newYear, 2, 4, 2, 1, 3],
    ['2026-01-02', 0, 1, 0, 0, 2],
  ];
  assert.deepEqual((await read(b, token)).counted, counted);

  await Promise.all([a.doorward.statistics.countPastDays(), b.doorward.statistics.countPastDays()]);
  const { db } = a.doorward.kernel;
  const kept = await db.read.selectFrom('daily_active_users').select('day').distinct().execute();
  assert.deepEqual(kept, [{ day: '2026-01-02' }]);

  // Two days without anybody; then retention removes what the first ones were counted from.
  s.advance(3 * day);
  await a.doorward.statistics.countPastDays();
  await a.doorward.audit.prune();
  const { events } = await a.doorward.audit.list({ kind: 'user.signed_up', limit: 5 });
  assert.deepEqual(events, []);
  const later = (await a.logIn(admin.email)).access_token;
  const last = await read(b, later, '?days=4');
  assert.equal(last.days.length, 4);
  assert.deepEqual(last.counted.slice(0, 1), [['2026-01-02', 0, 1, 0, 0, 2]]);
  assert.deepEqual((await read(b, later, '?days=1')).days.length, 1);
  assert.deepEqual((await read(b, later, '?days=365')).counted.slice(0, 2), counted);
});

onInstances('what is counted five minutes after midnight has all of the day', async (s) => {
  const a = await s.open();
  const admin = await a.signIn({ is_admin: true });
  // 23:59:50.
  s.advance(12 * 3600 - 10);
  await a.logIn(admin.email);
  s.advance(70);
  await a.doorward.statistics.countPastDays();
  const days = () => a.doorward.kernel.db.read.selectFrom('daily_counts').select('day').execute();
  assert.deepEqual(await days(), []);
  const token = (await a.logIn(admin.email)).access_token;
  const { counted } = await read(a, token, '?days=2');
  assert.deepEqual(counted, [
    ['2026-01-01', 0, 2, 0, 0, 1],
    ['2026-01-02', 0, 1, 0, 0, 1],
  ]);
  s.advance(300);
  await a.doorward.statistics.countPastDays();
  assert.deepEqual(await days(), [{ day: '2026-01-01' }]);
  assert.deepEqual((await read(a, token, '?days=2')).counted, counted);
});

onInstances(
  'totals tell the states; who was active and is erased is forgotten; an older day counts logins',
  async (s) => {
    const a = await s.open({ DELETION_GRACE_DAYS: 7 });
    const admin = await a.signIn({ is_admin: true });
    const [user, gone, closed] = [await a.signIn(), await a.signIn(), await a.signIn({ is_admin: true })];
    await a.doorward.admin.change(user.id, { is_active: false });
    const json = { current_password: closed.password };
    await a.request('DELETE', '/auth/me', { token: closed.access_token, json });
    // Gathered, and gone before it is written.
    await a.doorward.admin.delete(gone.id);
    const { totals, counted } = await read(a, admin.access_token);
    assert.deepEqual(totals, { users: 3, active: 1, admins: 1, unverified: 0, scheduled: 1 });
    assert.deepEqual(counted, [['2026-01-01', 0, 4, 0, 0, 3]]);
    const { db } = a.doorward.kernel;
    await a.doorward.admin.delete(user.id);
    const ids = async () =>
      (await db.read.selectFrom('daily_active_users').select('user_id').orderBy('user_id').execute()).map(
        ({ user_id }) => user_id,
      );
    assert.deepEqual(await ids(), [admin.id, closed.id]);

    // As of a day before there was such a table.
    await db.transaction((tx) => tx.deleteFrom('daily_active_users').execute());
    s.advance(15);
    assert.deepEqual((await read(a, admin.access_token)).counted, [['2026-01-01', 0, 4, 0, 0, 4]]);
  },
);

onInstances('days that a clock counted which was ahead are counted again when they are over', async (s) => {
  const a = await s.open();
  const admin = await a.signIn({ is_admin: true });
  s.advance(10 * day);
  await a.doorward.statistics.countPastDays();
  await read(a, (await a.logIn(admin.email)).access_token);
  s.advance(-10 * day);
  // What was counted then is not the present.
  await a.logIn(admin.email);
  const token = (await a.logIn(admin.email)).access_token;
  const { counted, counted_at } = await read(a, token, '?days=1');
  assert.deepEqual([counted[0]?.slice(0, 3), counted_at.slice(0, 10)], [['2026-01-01', 0, 3], '2026-01-01']);

  s.advance(day);
  const next = await a.logIn(admin.email);
  await a.doorward.statistics.countPastDays();
  s.advance(day);
  await a.doorward.statistics.countPastDays();
  // A clock that is behind counts nothing.
  s.advance(-20_000 * day);
  await a.doorward.statistics.countPastDays();
  s.advance(20_000 * day);
  const { counted: days } = await read(a, (await a.refreshed(next.refresh_token)).access_token, '?days=3');
  assert.deepEqual(
    days.map((counts: unknown[]) => counts.slice(0, 3)),
    [
      ['2026-01-01', 0, 3],
      ['2026-01-02', 0, 1],
      ['2026-01-03', 0, 0],
    ],
  );
});
