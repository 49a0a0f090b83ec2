import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import {
  assertDead,
  assertRefused,
  claimsOf,
  type Instance,
  onInstances,
} from '../../../test/support/instances.ts';
import { checkEveryAnswer } from '../../../test/support/openapi-conformance.ts';

checkEveryAnswer();

const basic = (name: string, secret: string) =>
  `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`;

/** An instance with the credential of a service. */
async function withService(a: Instance, name = 'billing') {
  const { secret } = await a.doorward.services.create(name);
  const authorization = basic(name, secret);
  const ask = async (token: string) => {
    const answer = await a.request('POST', '/auth/introspect', {
      form: { token },
      headers: { authorization },
    });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['cache-control'], 'no-store');
    return answer.body;
  };
  const revoke = (token: string, more: Record<string, string> = {}) =>
    a.request('POST', '/auth/revoke', { form: { token, ...more }, headers: { authorization } });
  return { secret, authorization, ask, revoke };
}

const inactive = { active: false };

onInstances(
  'a credential is made, listed and withdrawn; its secret is told once and stored as a digest',
  async (s) => {
    const a = await s.open();
    const { services } = a.doorward;
    const { service, secret } = await services.create('billing');
    assert.ok(Buffer.from(secret, 'base64url').length >= 32);
    assert.deepEqual([service.name, service.created_at], ['billing', a.clock.now().toISOString()]);
    await services.create('audit.log_2-x');
    await assert.rejects(services.create('billing'), { code: 'service_name_taken', status: 409 });
    for (const name of ['', 'A', 'ä', '-x', 'a b', 'a:b', 'a\0', 'x'.repeat(65), '%62', '../x']) {
      await assert.rejects(services.create(name), { code: 'validation_error' }, name);
    }
    const listed = await services.list();
    assert.deepEqual(
      listed.map(({ name }) => name),
      ['audit.log_2-x', 'billing'],
    );
    assert.deepEqual(
      Object.keys(listed[0] ?? {}).sort(),
      ['created_at', 'id', 'name'],
      'no secret, no digest',
    );

    const rows = await a.doorward.kernel.db.read.selectFrom('services').selectAll().execute();
    const stored = JSON.stringify(rows);
    for (const form of [
      secret,
      Buffer.from(secret).toString('base64'),
      Buffer.from(secret, 'base64url').toString('hex'),
    ]) {
      assert.ok(!stored.includes(form));
    }
    if (s.database.name === 'SQLite') {
      const file = s.databaseUrl.slice('sqlite:'.length);
      for (const end of ['', '-wal']) assert.ok(!(await readFile(file + end)).includes(secret));
    }

    await services.authenticate('billing', secret);
    await (await s.open()).doorward.services.authenticate('billing', secret);
    await services.delete('billing');
    await assert.rejects(services.authenticate('billing', secret), { code: 'invalid_client', status: 401 });
    await assert.rejects(services.delete('billing'), { code: 'service_not_found', status: 404 });
    const again = await services.create('billing');
    assert.notEqual(again.secret, secret);
    assert.notEqual(again.service.id, service.id, 'ids are never used twice');
  },
);

onInstances('whoever is no service gets one and the same answer', async (s) => {
  const a = await s.open();
  const { secret } = await withService(a);
  const user = await a.signIn({ is_admin: true });
  const raw = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  const refused: Record<string, string | undefined> = {
    nothing: undefined,
    'an unknown name': basic('unknown', secret),
    'a wrong secret': basic('billing', 'wrong'),
    'an empty secret': basic('billing', ''),
    'the secret cut short': basic('billing', secret.slice(0, -1)),
    'another case': basic('Billing', secret),
    'no colon': raw(`billing${secret}`),
    'nothing in it': raw(''),
    'a colon alone': raw(':'),
    'not encoded': `Basic billing:${secret}`,
    'broken percent-encoding': raw(`billing:%${secret}`),
    'a NUL': raw(`billing\0:${secret}`),
    'no credential': 'Basic',
    'no scheme': Buffer.from(`billing:${secret}`).toString('base64'),
    'the token of an admin': `Bearer ${user.access_token}`,
    'another scheme': basic('billing', secret).replace('Basic', 'Digest'),
    '64 KB': raw(`billing:${'x'.repeat(6000)}`),
  };
  const bodies = new Set<string>();
  for (const [what, authorization] of Object.entries(refused)) {
    for (const path of ['/auth/introspect', '/auth/revoke']) {
      const answer = await a.request('POST', path, {
        form: { token: user.access_token },
        headers: authorization === undefined ? {} : { authorization },
      });
      assert.equal(answer.status, 401, `${what}: ${answer.text}`);
      assert.match(answer.headers['www-authenticate'] ?? '', /^Basic realm="/, what);
      bodies.add(answer.text);
    }
  }
  assert.deepEqual([...bodies], ['{"detail":"Invalid client","code":"invalid_client"}']);
  // Credentials in a body or an address are none.
  for (const options of [
    { form: { token: user.access_token, client_id: 'billing', client_secret: secret } },
    { json: { token: user.access_token } },
  ]) {
    assert.equal((await a.request('POST', `/auth/introspect?client_secret=${secret}`, options)).status, 401);
  }
  assert.equal((await a.me(user.access_token)).status, 200, 'nothing was revoked');
});

onInstances('a credential may be form-encoded, in any case of the scheme', async (s) => {
  const a = await s.open();
  const { secret } = await withService(a, 'a.b-c_d');
  const encoded = [...secret].map((char) => `%${char.charCodeAt(0).toString(16)}`).join('');
  for (const authorization of [
    basic('a.b-c_d', secret),
    basic('a.b%2Dc%5Fd', encoded),
    basic('a.b-c_d', secret).replace('Basic', 'bASIC'),
    basic('a.b-c_d', secret).replaceAll('=', ''),
  ]) {
    const answer = await a.request('POST', '/auth/introspect', {
      json: { token: 'x' },
      headers: { authorization },
    });
    assert.deepEqual([answer.status, answer.body], [200, inactive], authorization);
  }
});

onInstances('what is told of a token, and that nothing is told of one that is not active', async (s) => {
  const a = await s.open();
  const b = await s.open();
  const { ask } = await withService(a);
  const admin = await a.signIn({ is_admin: true });
  const user = await b.signIn();
  const { sub, sid, iat, exp, jti, iss } = claimsOf(user.access_token);
  assert.deepEqual(await ask(user.access_token), {
    ...{ active: true, token_type: 'Bearer', username: user.email, is_admin: false },
    ...{ sub, sid, iat, exp, jti, iss },
  });
  const refreshClaims = claimsOf(user.refresh_token);
  assert.deepEqual(await ask(user.refresh_token), {
    ...{ active: true, token_type: 'refresh_token', username: user.email, is_admin: false, sub, sid },
    ...{ iat: refreshClaims.iat, exp: refreshClaims.exp, jti: refreshClaims.jti },
  });
  assert.equal((await ask(admin.access_token)).is_admin, true);
  assert.equal((await a.session(user.access_token))?.generation_used_at, a.clock.now().toISOString());

  // Asking about a refresh token is not showing it: nothing rotates and nothing ends.
  s.advance(10);
  const child = await a.refreshed(user.refresh_token);
  assert.equal((await ask(user.refresh_token)).active, true, 'its parent would still be honoured');
  await a.me(child.access_token);
  s.advance(10);
  assert.deepEqual(await ask(user.refresh_token), inactive, 'spent');
  assert.equal((await a.me(child.access_token)).status, 200, 'and its session goes on');
  assert.equal((await ask(child.refresh_token)).active, true);
  assert.equal((await a.session(child.access_token))?.generation, 2);

  s.advance(15 * 60);
  assert.deepEqual(await ask(child.access_token), inactive, 'expired');
  for (const garbage of ['', 'garbage', 'a.b.c', '..', `${child.refresh_token}x`, 'x'.repeat(5000), 'é']) {
    assert.deepEqual(await ask(garbage), inactive, garbage.slice(0, 20));
  }
  const { access_token, refresh_token } = await a.refreshed(child.refresh_token);
  assert.equal((await ask(access_token)).active, true);
  await a.doorward.admin.change(user.id, { is_active: false }, admin.id);
  for (const token of [access_token, refresh_token])
    assert.deepEqual(await ask(token), inactive, 'deactivated');
  await a.doorward.admin.change(user.id, { is_active: true }, admin.id);
  for (const token of [access_token, refresh_token])
    assert.deepEqual(await ask(token), inactive, 'reactivated');

  const other = await a.signIn();
  await a.request('POST', '/auth/logout', { token: other.access_token });
  for (const token of [other.access_token, other.refresh_token]) assert.deepEqual(await ask(token), inactive);
  const gone = await a.signIn();
  await a.doorward.admin.delete(gone.id, admin.id);
  for (const token of [gone.access_token, gone.refresh_token]) assert.deepEqual(await ask(token), inactive);
});

onInstances('a service revokes with either token, and learns nothing by it', async (s) => {
  const a = await s.open();
  const b = await s.open();
  const { revoke } = await withService(a);
  const bystander = await a.signIn();
  for (const kind of ['access_token', 'refresh_token'] as const) {
    const user = await b.signIn();
    const other = await b.logIn(user.email);
    await b.me(user.access_token);
    for (const hint of [kind, 'nonsense']) {
      const answer = await revoke(user[kind], { token_type_hint: hint });
      assert.deepEqual([answer.status, answer.text], [200, '{}'], 'the first time as the second');
    }
    assertDead(await b.me(user.access_token));
    assertRefused(await b.refresh(user.refresh_token));
    assert.equal((await b.me(other.access_token)).status, 200);
    assert.equal((await b.session(user.access_token))?.end_reason, 'revoked');
  }
  for (const token of ['garbage', '', 'a.b.c', `${bystander.access_token}x`]) {
    const answer = await revoke(token);
    assert.deepEqual([answer.status, answer.text], [200, '{}']);
  }
  // A spent refresh token ends its session here as well: whoever holds it wants that.
  s.advance(10);
  await a.refreshed(bystander.refresh_token);
  assert.equal((await revoke(bystander.refresh_token)).status, 200);
  assertRefused(await a.refresh(bystander.refresh_token));
});

onInstances('bad input is told, and repeats nothing', async (s) => {
  const a = await s.open();
  const { authorization } = await withService(a);
  for (const path of ['/auth/introspect', '/auth/revoke']) {
    for (const json of [
      {},
      { token: 7 },
      { token: null },
      { token: ['x'] },
      { token: 'secret-a\0' },
      { token: 'x', more: 1 },
    ]) {
      const answer = await a.request('POST', path, { json, headers: { authorization } });
      assert.equal(answer.status, 422, JSON.stringify(json));
      assert.doesNotMatch(answer.text, /secret-a/);
    }
    assert.equal((await a.request('GET', path, { headers: { authorization } })).status, 405);
  }
});
