import assert from 'node:assert/strict';
import { createHash, createSecretKey } from 'node:crypto';
import { SignJWT } from 'jose';
import { deriveKey } from '../../src/crypto/derived-keys.ts';
import {
  assertDead,
  assertRefused,
  claimsOf,
  type Instance,
  onInstances,
  SECRET_KEY,
} from '../support/instances.ts';
import { checkEveryAnswer } from '../support/openapi-conformance.ts';

checkEveryAnswer();

const grace = 10;
const minute = 60;
const day = 86_400;

onInstances(
  'a session rotates at most once in a grace, and a generation has one refresh token',
  async (s) => {
    const a = await s.open();
    const b = await s.open();
    const user = await a.signIn();
    const first = user.refresh_token;

    const early = await a.refreshed(first);
    assert.equal(early.refresh_token, first, 'just issued: it gets itself back');
    assert.equal(claimsOf(early.access_token).gen, 1);
    assert.equal((await a.me(early.access_token)).status, 200);

    s.advance(grace - 0.001);
    assert.equal((await b.refreshed(first)).refresh_token, first, 'still within the grace');
    s.advance(0.001);
    const { refresh_token: second, access_token } = await b.refreshed(first);
    assert.notEqual(second, first);
    assert.deepEqual([claimsOf(second).gen, claimsOf(access_token).gen], [2, 2]);
    assert.equal((await a.refreshed(second)).refresh_token, second);
    assert.equal((await b.refreshed(second)).refresh_token, second, 'the same text on every instance');

    s.advance(grace);
    assert.equal(claimsOf((await a.refreshed(second)).refresh_token).gen, 3);
  },
);

onInstances('the answer of a refresh is that of a login, as JSON and as form', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  for (const options of [
    { json: { refresh_token: user.refresh_token } },
    { json: { refresh_token: user.refresh_token, grant_type: 'refresh_token' } },
    { form: { refresh_token: user.refresh_token, grant_type: 'refresh_token' } },
    { form: { refresh_token: user.refresh_token, grant_type: 'refresh_token', client_id: 'x', scope: '' } },
  ]) {
    const answer = await a.request('POST', '/auth/refresh', options);
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(Object.keys(answer.body).sort(), [
      'access_token',
      'expires_in',
      'refresh_token',
      'token_type',
    ]);
    assert.deepEqual([answer.body.token_type, answer.body.expires_in], ['bearer', 15 * minute]);
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.equal(answer.headers['set-cookie'], undefined);
  }
  for (const json of [
    {},
    { refresh_token: 7 },
    { refresh_token: null },
    { refresh_token: [user.refresh_token] },
    { refresh_token: user.refresh_token, grant_type: 'password' },
    { refresh_token: user.refresh_token, is_admin: true },
  ]) {
    const answer = await a.request('POST', '/auth/refresh', { json });
    assert.deepEqual([answer.status, answer.body.code], [422, 'validation_error']);
    assert.ok(!answer.text.includes(user.refresh_token));
  }
});

onInstances('the parent gets the current token until a grace after that one came into use', async (s) => {
  const a = await s.open();
  const b = await s.open();
  const { refresh_token: parent } = await a.signIn();
  s.advance(grace);
  const { refresh_token: child } = await a.refreshed(parent);
  // The reply was lost and the lid closed: nobody can know that it arrived.
  s.advance(2 * day);
  const again = await b.refreshed(parent);
  assert.equal(again.refresh_token, child);
  assert.equal(claimsOf(again.access_token).gen, 2);

  // Given to its parent just now, the child must not move on for as long: another reply is under way.
  assert.equal((await a.refreshed(child)).refresh_token, child);
  s.advance(grace - 0.001);
  assert.equal((await a.refreshed(parent)).refresh_token, child, 'in use for less than a grace');
  s.advance(0.001);
  // Shown by itself one grace ago, the child is known to have arrived.
  assertRefused(await b.refresh(parent));
  assertRefused(await a.refresh(child));
  assertDead(await a.me(again.access_token));
});

onInstances('an access token of the generation brings it into use as well', async (s) => {
  const a = await s.open();
  const { refresh_token: parent } = await a.signIn();
  s.advance(grace);
  const child = await a.refreshed(parent);
  s.advance(grace);
  assert.equal((await a.session(parent))?.generation_used_at, null);
  assert.equal((await a.me(child.access_token)).status, 200);
  assert.equal((await a.session(parent))?.generation_used_at, a.clock.now().toISOString());
  s.advance(grace - 0.001);
  assert.equal((await a.refreshed(parent)).refresh_token, child.refresh_token);
  s.advance(0.001);
  assertRefused(await a.refresh(parent));
});

onInstances('an access token of an older generation does not', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  assert.equal((await a.me(user.access_token)).status, 200);
  s.advance(grace);
  const child = await a.refreshed(user.refresh_token);
  assert.equal((await a.me(user.access_token)).status, 200, 'it is good until it expires');
  assert.equal((await a.session(user.access_token))?.generation_used_at, null);
  s.advance(day);
  assert.equal((await a.refreshed(user.refresh_token)).refresh_token, child.refresh_token);
});

async function rotated(a: Instance, s: { advance(seconds: number): void }, token: string): Promise<string> {
  s.advance(grace);
  return (await a.refreshed(token)).refresh_token;
}

onInstances('reuse ends the session, and what it was and where it came from is kept', async (s) => {
  const a = await s.open({ TRUSTED_PROXIES: '127.0.0.1' });
  const grandparent = (await a.signIn()).refresh_token;
  const parent = await rotated(a, s, grandparent);
  const child = await rotated(a, s, parent);
  const { access_token } = await a.refreshed(child);
  assert.equal((await a.session(child))?.ended_at, null);

  // Even while the parent is honoured, the grandparent is not.
  const answer = await a.request('POST', '/auth/refresh', {
    json: { refresh_token: grandparent },
    headers: { 'x-forwarded-for': '203.0.113.9' },
  });
  assertRefused(answer);
  assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer/);
  const { ended_at, end_reason, end_network } = (await a.session(child)) ?? {};
  assert.deepEqual(
    [ended_at, end_reason, end_network],
    [a.clock.now().toISOString(), 'refresh_token_reused', '203.0.113.9'],
  );
  for (const token of [grandparent, parent, child]) assertRefused(await a.refresh(token));
  assertDead(await a.me(access_token));
  assert.equal((await a.session(child))?.end_network, '203.0.113.9', 'the first report stands');
});

onInstances('reuse ends its own session alone', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  const other = await a.logIn(user.email);
  const child = await rotated(a, s, user.refresh_token);
  await rotated(a, s, child);
  assertRefused(await a.refresh(user.refresh_token));
  assert.equal((await a.me(other.access_token)).status, 200);
  assert.equal((await a.refresh(other.refresh_token)).status, 200);
});

onInstances('without a grace every use rotates and every replay ends the session', async (s) => {
  const a = await s.open({ REFRESH_GRACE_SECONDS: 0 });
  const { refresh_token: first } = await a.signIn();
  const second = (await a.refreshed(first)).refresh_token;
  const { refresh_token: third, access_token } = await a.refreshed(second);
  assert.equal(new Set([first, second, third]).size, 3);
  assertRefused(await a.refresh(second));
  assertRefused(await a.refresh(third));
  assertDead(await a.me(access_token));
  assert.equal((await a.session(first))?.end_reason, 'refresh_token_reused');
});

onInstances('a session that is not refreshed ends; one that is goes on to its absolute end', async (s) => {
  const a = await s.open({ REFRESH_TOKEN_EXPIRE_DAYS: 1, SESSION_EXPIRE_DAYS: 3.5 });
  const b = await s.open({ REFRESH_TOKEN_EXPIRE_DAYS: 1, SESSION_EXPIRE_DAYS: 3.5 });
  const idle = await a.signIn();
  const busy = await a.signIn();
  const start = a.clock.now().getTime() / 1000;
  let tokens = { access_token: busy.access_token, refresh_token: busy.refresh_token };
  s.advance(day - 1);
  tokens = await a.refreshed(tokens.refresh_token);
  s.advance(1);
  assertRefused(await a.refresh(idle.refresh_token));

  for (let quarter = 0; quarter < 9; quarter++) {
    s.advance(day / 4);
    tokens = await (quarter % 2 ? a : b).refreshed(tokens.refresh_token);
  }
  s.advance(day / 4 - 60);
  tokens = await a.refreshed(tokens.refresh_token);
  const end = start + 3.5 * day;
  assert.equal(claimsOf(tokens.refresh_token).exp, end);
  assert.ok(claimsOf(tokens.access_token).exp <= end);
  const { body } = await a.refresh(tokens.refresh_token);
  assert.equal(claimsOf(body.access_token).exp, claimsOf(body.access_token).iat + body.expires_in);
  s.advance(end - a.clock.now().getTime() / 1000 - 1);
  const last = await a.refreshed(tokens.refresh_token);
  assert.equal(claimsOf(last.access_token).exp, end, 'the access token ends with the session');
  assert.equal((await a.me(last.access_token)).status, 200);
  s.advance(1);
  assertRefused(await a.refresh(last.refresh_token));
  assertDead(await a.me(last.access_token));
});

onInstances('an expired access token is refused, and a refresh is right about role and email', async (s) => {
  const a = await s.open();
  const admin = await a.signIn({ is_admin: true });
  const user = await a.signIn();
  s.advance(15 * minute - 1);
  assert.equal((await a.me(user.access_token)).status, 200);
  s.advance(1);
  assertDead(await a.me(user.access_token));
  await a.doorward.admin.change(user.id, { email: 'moved@example.com', is_admin: true }, admin.id);
  const { access_token } = await a.refreshed(user.refresh_token);
  const me = await a.me(access_token);
  assert.deepEqual([me.body.email, me.body.is_admin], ['moved@example.com', true]);
  assert.equal((await a.request('GET', '/auth/users', { token: access_token })).status, 200);
  await a.doorward.admin.change(user.id, { is_admin: false }, admin.id);
  assert.equal((await a.request('GET', '/auth/users', { token: access_token })).status, 403);
});

onInstances('what is no live refresh token of ours is refused and ends nothing', async (s) => {
  const a = await s.open();
  const elsewhere = await s.open({
    DATABASE_URL: 'sqlite::memory:',
    SECRET_KEY: 'another-instance-4b7e9d1c3f5a-secret',
  });
  const user = await a.signIn();
  const other = await a.signIn();
  const foreign = await elsewhere.signIn();
  const { sid, sub, gen, iat, exp, jti } = claimsOf(user.refresh_token);
  const ours = deriveKey(SECRET_KEY, 'refresh-token');
  const forge = (claims: object, { typ = 'rt+jwt', key = ours } = {}) =>
    new SignJWT({ sid, sub, gen, iat, exp, jti, type: 'refresh', ...claims })
      .setProtectedHeader({ alg: 'HS256', typ })
      .sign(key);
  const [head, body, signature] = user.refresh_token.split('.');
  const digest = createHash('sha256').update(user.refresh_token);
  const refused: Record<string, string> = {
    'an access token': user.access_token,
    'an empty text': '',
    'no token': 'garbage',
    'its digest': digest.copy().digest('hex'),
    'its digest in base64url': digest.digest('base64url'),
    'its jti': jti,
    'another signature': `${head}.${body}.${(signature ?? '').split('').reverse().join('')}`,
    'no signature': `${head}.${body}.`,
    'alg none': `${Buffer.from('{"alg":"none","typ":"rt+jwt"}').toString('base64url')}.${body}.`,
    'white space around it': ` ${user.refresh_token}`,
    'a token of another instance': foreign.refresh_token,
    'SECRET_KEY itself as key': await forge({}, { key: createSecretKey(SECRET_KEY, 'utf8') }),
    'the type of an access token': await forge({ type: 'access' }),
    'the typ of an access token': await forge({}, { typ: 'at+jwt' }),
    'the session of another user': await forge({ sid: claimsOf(other.refresh_token).sid }),
    'the user of another session': await forge({ sub: String(other.id) }),
    'a session that is not there': await forge({ sid: 'AAAAAAAAAAAAAAAAAAAAAA' }),
    'a generation to come': await forge({ gen: gen + 1 }),
    'an expired token': await forge({ exp: iat }),
    'a token that never expires': await forge({ exp: undefined }),
    'a text for a generation': await forge({ gen: '1' }),
    'a token of 16 KB': `${head}.${body}.${'A'.repeat(16_384)}`,
  };
  for (const [what, token] of Object.entries(refused)) {
    const answer = await a.refresh(token);
    assert.equal(answer.body?.code, 'invalid_refresh_token', `${what}: ${answer.text}`);
    assertRefused(answer);
  }
  // As access tokens they are nothing either.
  assertDead(await a.me(user.refresh_token));
  for (const { access_token, refresh_token } of [user, other]) {
    assert.equal((await a.me(access_token)).status, 200);
    assert.equal((await a.refresh(refresh_token)).status, 200);
  }
});

onInstances('twenty refreshes at once with one token rotate once and get the same token', async (s) => {
  const instances = [await s.open(), await s.open()];
  const [a] = instances as [Instance, Instance];
  const user = await a.signIn();
  s.advance(grace);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => (instances[i % 2] as Instance).refreshed(user.refresh_token)),
  );
  assert.equal(new Set(answers.map(({ refresh_token }) => refresh_token)).size, 1);
  assert.deepEqual(new Set(answers.map(({ access_token }) => claimsOf(access_token).gen)), new Set([2]));
  const child = (await a.refreshed(user.refresh_token)).refresh_token;
  s.advance(day);
  const mixed = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      (instances[i % 2] as Instance).refreshed(i % 4 < 2 ? child : user.refresh_token),
    ).map((answer) => answer.catch(() => undefined)),
  );
  // Whoever of the two came first decided, and nothing but one lineage lives.
  const given = new Set(mixed.flatMap((tokens) => tokens?.refresh_token ?? []));
  const row = await a.session(child);
  assert.ok(row !== undefined && row.generation <= 3);
  if (row.ended_at === null) assert.deepEqual(given, new Set([(await a.refreshed(child)).refresh_token]));
});

onInstances('a hundred parents at once, on a clock that moves, all get the current token', async (s) => {
  const a = await s.open({ DATABASE_POOL_SIZE: 20 });
  const user = await a.signIn();
  s.advance(grace);
  const child = (await a.refreshed(user.refresh_token)).refresh_token;
  s.advance(grace);
  const { now } = a.clock;
  let ms = 0;
  s.t.mock.method(a.clock, 'now', () => new Date(now().getTime() + ms++));
  const answers = await Promise.all(Array.from({ length: 100 }, () => a.refresh(user.refresh_token)));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.deepEqual(new Set(answers.map(({ body }) => body.refresh_token)), new Set([child]));
});
