import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { calculateJwkThumbprint, createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import {
  assertDead,
  assertFailure,
  claimsOf,
  headerOf,
  type Instance,
  onInstances,
  SECRET_KEY,
} from '../../../test/support/instances.ts';
import type { SigningAlgorithm } from '../../crypto/tokens.ts';

const algorithms: SigningAlgorithm[] = ['ES256', 'EdDSA', 'RS256', 'HS256'];
const day = 86_400;

const publicMembers = {
  ES256: ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'],
  EdDSA: ['alg', 'crv', 'kid', 'kty', 'use', 'x'],
  RS256: ['alg', 'e', 'kid', 'kty', 'n', 'use'],
};

async function publishedKeys(a: Instance): Promise<JSONWebKeySet> {
  const answer = await a.request('GET', '/.well-known/jwks.json');
  assert.equal(answer.status, 200);
  return answer.body;
}

const kidsOf = async (a: Instance) => (await publishedKeys(a)).keys.map(({ kid }) => kid);
const states = async ({ doorward }: Instance) => (await doorward.keys.list()).map(({ state }) => state);
const kidOf = (token: string) => headerOf(token).kid;

/** A new access token of the user. */
async function newToken(a: Instance, email: string): Promise<string> {
  return (await a.logIn(email)).access_token;
}

for (const ALGORITHM of algorithms) {
  onInstances(`${ALGORITHM}: what is published, and how`, async (s) => {
    const a = await s.open({ ALGORITHM });
    const { access_token } = await a.signIn();
    assert.deepEqual([headerOf(access_token).alg, headerOf(access_token).typ], [ALGORITHM, 'at+jwt']);
    assert.equal((await a.me(access_token)).status, 200);
    const answer = await a.request('GET', '/.well-known/jwks.json');
    const [, maxAge] = /^public, max-age=(\d+)$/.exec(answer.headers['cache-control'] ?? '') ?? [];
    assert.ok(Number(maxAge) > 0 && Number(maxAge) <= a.doorward.settings.KEY_PUBLICATION_LEAD_SECONDS);
    const { keys } = answer.body as JSONWebKeySet;
    if (ALGORITHM === 'HS256') {
      assert.deepEqual(answer.body, { keys: [] });
      assert.equal(kidOf(access_token), undefined);
      assert.equal(claimsOf(access_token).aud, undefined);
      await assert.rejects(a.doorward.keys.rotate({ immediately: false }));
      const secret = new TextEncoder().encode(SECRET_KEY);
      const options = { currentDate: a.clock.now() };
      assert.ok(await jwtVerify(access_token, secret, options), 'as the reference verifies');
      return;
    }
    assert.equal(keys.length, 1);
    const [key] = keys;
    assert.ok(key);
    assert.deepEqual(Object.keys(key).sort(), publicMembers[ALGORITHM], 'public members alone');
    assert.deepEqual([key.alg, key.use], [ALGORITHM, 'sig']);
    assert.equal(key.kid, await calculateJwkThumbprint(key));
    assert.equal(kidOf(access_token), key.kid);
    const { payload } = await jwtVerify(access_token, createLocalJWKSet(answer.body), {
      issuer: a.doorward.settings.ISSUER,
      audience: String(a.doorward.settings.AUDIENCE),
      currentDate: a.clock.now(),
    });
    assert.equal(payload.sub, claimsOf(access_token).sub);

    // Another start finds the same key.
    const b = await s.open({ ALGORITHM });
    assert.deepEqual(await kidsOf(b), [key.kid]);
    assert.equal((await b.me(access_token)).status, 200);
  });
}

onInstances(
  'a new key is published at once, signs after the lead, and the old one lasts as long as its tokens',
  async (s) => {
    const a = await s.open();
    const b = await s.open();
    const user = await a.signIn();
    const [old] = await kidsOf(a);
    const { key: next } = await a.doorward.keys.rotate({ immediately: false });
    assert.equal(next.state, 'next');
    await b.doorward.keys.reload();
    for (const instance of [a, b]) {
      assert.deepEqual(new Set(await kidsOf(instance)), new Set([old, next.kid]));
      assert.deepEqual(await states(instance), ['next', 'signing']);
      assert.equal(kidOf(await newToken(instance, user.email)), old);
    }

    s.advance(59.999);
    const last = await newToken(a, user.email);
    assert.equal(kidOf(last), old);
    for (const instance of [a, b]) await instance.doorward.keys.reload();
    assert.equal(kidOf(await newToken(b, user.email)), old);
    s.advance(0.001);
    for (const instance of [a, b]) {
      await instance.doorward.keys.reload();
      assert.equal(kidOf(await newToken(instance, user.email)), next.kid);
      assert.deepEqual(await states(instance), ['signing', 'former']);
      assert.equal((await instance.me(last)).status, 200, 'the tokens of the old key live on');
    }

    s.advance(15 * 60 - 2);
    await a.doorward.keys.maintain();
    assert.equal((await a.me(last)).status, 200, 'to their end');
    assert.ok((await kidsOf(a)).includes(old));
    s.advance(5 * 60 + 2);
    for (const instance of [a, b]) {
      await instance.doorward.keys.maintain();
      assert.deepEqual(await kidsOf(instance), [next.kid], 'then it is withdrawn');
    }
    assert.equal((await a.refresh(user.refresh_token)).status, 200);
  },
);

onInstances('in an emergency a new key signs at once', async (s) => {
  const a = await s.open();
  const b = await s.open();
  const user = await a.signIn();
  const [old] = await kidsOf(a);
  s.advance(1);
  const { kid, state } = (await a.doorward.keys.rotate({ immediately: true })).key;
  assert.equal(state, 'signing');
  const token = await newToken(a, user.email);
  assert.equal(kidOf(token), kid);
  assert.equal((await a.me(user.access_token)).status, 200);
  // Another instance has not heard of it, and looks before it refuses.
  assert.equal((await b.me(token)).status, 200);

  await a.doorward.keys.retire(String(old));
  assertDead(await a.me(user.access_token));
  assert.equal((await a.me(token)).status, 200);
  assert.deepEqual(await kidsOf(a), [kid]);
  // A second later on every other, without a request having to tell it.
  for (let tries = 0; (await kidsOf(b)).length > 1; tries++) {
    assert.ok(tries < 500, 'it never heard');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assertDead(await b.me(user.access_token));
  assert.equal((await b.refresh(user.refresh_token)).status, 200, 'the session goes on');
});

onInstances('a service may ask about a token of a key that another instance has just made', async (s) => {
  const a = await s.open();
  const b = await s.open();
  const user = await a.signIn();
  s.advance(1);
  await a.doorward.keys.rotate({ immediately: true });
  const token = await newToken(a, user.email);
  assert.equal((await b.doorward.sessions.introspect(token)).active, true);
  s.advance(1);
  await a.doorward.keys.rotate({ immediately: true });
  const another = await newToken(a, user.email);
  await b.doorward.sessions.revokeToken(another);
  assertDead(await a.me(another));
});

onInstances('the only usable key cannot be retired, and an unknown one is told', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  const [only] = await kidsOf(a);
  const onlyUsable = { code: 'only_usable_key', status: 409 };
  await assert.rejects(a.doorward.keys.retire(String(only)), onlyUsable);
  await assert.rejects(a.doorward.keys.retire('unknown'), { code: 'key_not_found' });
  // The next key does not sign yet.
  const { key: next } = await a.doorward.keys.rotate({ immediately: false });
  await assert.rejects(a.doorward.keys.retire(String(only)), onlyUsable);
  assert.equal((await a.me(user.access_token)).status, 200);
  // One that has signed nothing is withdrawn as easily as it came.
  await a.doorward.keys.retire(next.kid);
  assert.deepEqual(await kidsOf(a), [only]);
  // Of two at once, one goes.
  const { key: other } = await a.doorward.keys.rotate({ immediately: true });
  const b = await s.open();
  const outcomes = await Promise.allSettled([
    a.doorward.keys.retire(String(only)),
    b.doorward.keys.retire(other.kid),
  ]);
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  assert.equal((await a.doorward.keys.list()).length, 1);
  assert.equal((await a.me(await newToken(a, user.email))).status, 200);
});

onInstances('keys are made by age, once, however many instances look', async (s) => {
  const settings = { KEY_ROTATION_DAYS: 10, REFRESH_TOKEN_EXPIRE_DAYS: 100, SESSION_EXPIRE_DAYS: 100 };
  const instances = [await s.open(settings), await s.open(settings), await s.open(settings)];
  const [a] = instances as [Instance];
  const maintain = () => Promise.all(instances.map(({ doorward }) => doorward.keys.maintain()));
  s.advance(10 * day - 1);
  await maintain();
  assert.deepEqual(await states(a), ['signing']);
  s.advance(1);
  await maintain();
  await maintain();
  assert.deepEqual(await states(a), ['next', 'signing'], 'with the lead of any other');
  s.advance(60);
  assert.deepEqual(await states(a), ['signing', 'former']);
  s.advance(3600);
  await maintain();
  assert.deepEqual(await states(a), ['signing']);
  s.advance(10 * day);
  await maintain();
  assert.deepEqual(await states(a), ['next', 'signing']);
  for (const { doorward } of instances) {
    await doorward.keys.reload();
    assert.deepEqual(doorward.keys.jwks().keys.length, 2);
  }
});

onInstances('rotation by age can be left to the operator', async (s) => {
  const a = await s.open({ KEY_ROTATION_DAYS: 0 });
  s.advance(4000 * day);
  await a.doorward.keys.maintain();
  assert.deepEqual(await states(a), ['signing']);
});

onInstances('while a key waits to sign, whoever asks for one is given that', async (s) => {
  const a = await s.open();
  const b = await s.open();
  const admin = await a.signIn({ is_admin: true });
  const ask = (instance: Instance) =>
    instance.request('POST', '/auth/keys/rotate', { token: admin.access_token });
  const answers = await Promise.all([a, b, a, b].map(ask));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, 201]);
  const [{ kid }] = answers.map(({ body }) => body) as [{ kid: string }];
  for (const { body } of answers) assert.deepEqual([body.kid, body.state], [kid, 'next']);
  assert.deepEqual(await states(a), ['next', 'signing']);
  s.advance(60);
  const { status, body } = await ask(b);
  assert.deepEqual([status, body.kid === kid], [201, false]);
  assert.deepEqual(await states(b), ['next', 'signing', 'former']);
});

onInstances('two instances that rotate at once agree on the key that signs', async (s) => {
  const a = await s.open();
  const b = await s.open();
  const user = await a.signIn();
  await Promise.all([a, b].map(({ doorward }) => doorward.keys.rotate({ immediately: true })));
  for (const { doorward } of [a, b]) await doorward.keys.reload();
  const [ofA, ofB] = [await newToken(a, user.email), await newToken(b, user.email)];
  assert.equal(kidOf(ofA), kidOf(ofB));
  for (const token of [ofA, ofB, user.access_token]) {
    assert.deepEqual([(await a.me(token)).status, (await b.me(token)).status], [200, 200]);
  }
});

onInstances('a change of ALGORITHM signs nobody out', async (s) => {
  const first = await s.open();
  const user = await first.signIn();
  let tokens: { access_token: string; refresh_token: string } = user;
  for (const ALGORITHM of ['EdDSA', 'HS256', 'RS256', 'ES256'] as const) {
    const before = headerOf(tokens.access_token).alg;
    await s.open({ ALGORITHM });
    s.advance(60);
    const b = await s.open({ ALGORITHM });
    // The audience of the other algorithms is never in a token of HS256, so those alone must be made anew.
    if (before !== 'HS256') assert.equal((await b.me(tokens.access_token)).status, 200, ALGORITHM);
    tokens = await b.refreshed(tokens.refresh_token);
    assert.equal(headerOf(tokens.access_token).alg, ALGORITHM);
    assert.equal((await b.me(tokens.access_token)).status, 200);
  }
});

onInstances('a key of a new ALGORITHM is published before it signs', async (s) => {
  const first = await s.open();
  const user = await first.signIn();
  const b = await s.open({ ALGORITHM: 'EdDSA' });
  assert.deepEqual((await publishedKeys(b)).keys.map(({ alg }) => alg).sort(), ['ES256', 'EdDSA']);
  assert.equal(headerOf(await newToken(b, user.email)).alg, 'ES256');
  s.advance(60);
  await b.doorward.keys.reload();
  assert.equal(headerOf(await newToken(b, user.email)).alg, 'EdDSA');
});

onInstances('no private key can be read in the database', async (s) => {
  for (const ALGORITHM of ['ES256', 'EdDSA', 'RS256'] as const) await s.open({ ALGORITHM });
  const a = await s.open({ ALGORITHM: 'RS256' });
  const rows = await a.doorward.kernel.db.read.selectFrom('signing_keys').selectAll().execute();
  assert.equal(rows.length, 3);
  for (const { private_jwe, public_jwk } of rows) {
    assert.equal(private_jwe.split('.').length, 5, 'a compact JWE');
    assert.deepEqual(headerOf(private_jwe), { alg: 'dir', enc: 'A256GCM' });
    for (const member of ['"d"', '"p"', '"q"', '"k"']) assert.ok(!public_jwk.includes(member));
  }
  const stored =
    s.database.name === 'SQLite'
      ? Buffer.concat(
          await Promise.all(['', '-wal'].map((end) => readFile(s.databaseUrl.slice('sqlite:'.length) + end))),
        ).toString('latin1')
      : JSON.stringify(rows);
  assert.ok(stored.includes(rows[0]?.private_jwe ?? '?'));
  assert.doesNotMatch(stored, /"d":|"p":|PRIVATE KEY/);
  assert.ok(!stored.includes(SECRET_KEY));
});

onInstances('administrators see the keys, and make a new one', async (s) => {
  const a = await s.open();
  const admin = await a.signIn({ is_admin: true });
  const list = async () =>
    (await a.request('GET', '/auth/keys', { token: await newToken(a, admin.email) })).body;
  const [first] = await list();
  const { kid, created_at } = first;
  const told = { algorithm: 'ES256', signs_from: created_at, retires_at: null };
  assert.deepEqual(await list(), [{ kid, state: 'signing', created_at, ...told }]);
  assert.deepEqual(await kidsOf(a), [kid]);

  s.advance(3600);
  const token = await newToken(a, admin.email);
  const made = await a.request('POST', '/auth/keys/rotate', { token });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.body.state, 'next');
  const leadMs = Date.parse(made.body.signs_from) - Date.parse(made.body.created_at);
  assert.equal(leadMs, a.doorward.settings.KEY_PUBLICATION_LEAD_SECONDS * 1000);
  const { events } = await a.doorward.audit.list({ kind: 'key.created', actor: admin.id, limit: 5 });
  assert.deepEqual(
    events.map(({ detail }) => detail.kid),
    [made.body.kid],
  );

  const [next, signing] = await list();
  assert.deepEqual([next.kid, next.retires_at], [made.body.kid, null]);
  assert.deepEqual([signing.kid, signing.state], [kid, 'signing']);
  // It is withdrawn when that was told, and not before.
  const secondsLeft = (Date.parse(signing.retires_at) - a.clock.now().getTime()) / 1000;
  s.advance(secondsLeft - 1);
  await a.doorward.keys.maintain();
  assert.deepEqual(
    (await list()).map(({ state }: { state: string }) => state),
    ['signing', 'former'],
  );
  s.advance(1);
  await a.doorward.keys.maintain();
  assert.deepEqual(
    (await list()).map((key: { kid: string }) => key.kid),
    [made.body.kid],
  );
});

onInstances('under HS256 there is no key to make', async (s) => {
  const a = await s.open({ ALGORITHM: 'HS256' });
  const { access_token: token } = await a.signIn({ is_admin: true });
  assert.deepEqual((await a.request('GET', '/auth/keys', { token })).body, []);
  const answer = await a.request('POST', '/auth/keys/rotate', { token });
  assertFailure(answer, 409, 'ALGORITHM is HS256', 'shared_secret_signs');
});
