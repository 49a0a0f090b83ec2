import assert from 'node:assert/strict';
import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CompactSign, decodeJwt, exportJWK, importPKCS8 } from 'jose';
import { runCommand, startServe } from '../support/command.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createClient, type RawAnswer } from '../support/fault-client.ts';
import { claimsOf, headerOf } from '../support/instances.ts';
import {
  onRealServers,
  password,
  type RealServer,
  sendText,
  storedAccounts,
} from '../support/real-server.ts';

const json = ['content-type', 'application/json'];
const newPassword = 'Another-Pass-77!';

function assertAnswer(answer: RawAnswer, status: number, code: string, what?: string): void {
  assert.deepEqual([answer.status, answer.body?.code], [status, code], what);
}

/** Neither token of a session opens anything. */
async function assertDead(
  server: RealServer,
  tokens: { access_token: string; refresh_token: string },
  what: string,
): Promise<void> {
  assertAnswer(await server.me(tokens.access_token), 401, 'invalid_token', what);
  assertAnswer(await server.refresh(tokens.refresh_token), 401, 'invalid_refresh_token', what);
}

// CVE-2024-4629 (Keycloak): of guesses sent in parallel all were checked before the first failure was counted.
onRealServers('of guesses sent in parallel no more are checked than one after the other', async (s) => {
  const settings = { RATE_LIMITS: 'on', HASH_QUEUE_LIMIT: 1000 } as const;
  const servers = [await s.start(settings), await s.start(settings)] as const;
  for (const [email, isKnown] of [
    ['victim@example.com', true],
    ['nobody@example.com', false],
  ] as const) {
    if (isKnown) await servers[0].doorward.admin.create({ email, password, name: 'Victim' });
    // Every spelling is a guess at the same account.
    const spellings = [email, email.toUpperCase(), ` ${email}`, email.replace('example', 'EXAMPLE')];
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        (servers[i % 2] ?? servers[0]).logIn(spellings[i % 4] ?? email, `WrongPass${i}!`),
      ),
    );
    const checked = answers.filter(({ status }) => status === 401);
    assert.equal(checked.length, 5, email);
    for (const answer of answers) if (answer.status !== 401) assertAnswer(answer, 429, 'rate_limited');
    for (const server of servers) {
      const answer = await server.logIn(email);
      assertAnswer(answer, 429, 'rate_limited', 'the right password, within the wait');
      assert.equal(answer.headers['retry-after'], '1');
    }
  }
});

// CVE-2024-1722 (Keycloak): whoever failed often enough in another's name kept that one from logging in.
onRealServers('guesses of others do not keep a user out', async (s) => {
  const server = await s.start({ RATE_LIMITS: 'on', TRUSTED_PROXIES: '127.0.0.1', REFRESH_GRACE_SECONDS: 0 });
  const user = await server.signIn();
  const { body: login } = await server.logIn(user.email);
  const device = ['x-device-token', login.device_token];
  for (let guess = 0; guess < 30; guess++) {
    const headers = ['x-forwarded-for', `203.0.113.${guess}`];
    const answer = await server.logIn(user.email, 'WrongPass123!', { headers });
    assertAnswer(answer, 401, 'invalid_credentials');
    // Each waits as it is told: the attack goes on for ever.
    s.advance(guess < 4 ? 0 : Math.min(900, 2 ** (guess - 4)));
  }
  const { body: fresh } = await server.refresh(login.refresh_token);
  assertAnswer(await server.logIn(user.email, 'WrongPass123!'), 401, 'invalid_credentials');
  assertAnswer(await server.logIn(user.email), 429, 'rate_limited', 'from an unknown device');
  assert.equal((await server.logIn(user.email, password, { headers: device })).status, 200);
  assert.equal((await server.me(fresh.access_token)).status, 200);
  assert.equal((await server.refresh(fresh.refresh_token)).status, 200);
  // The device's token is worth nothing to anybody else, and is no password.
  const other = await server.signIn();
  for (let guess = 0; guess < 5; guess++) {
    const wrong = await server.logIn(other.email, 'WrongPass123!', { headers: device });
    assertAnswer(wrong, 401, 'invalid_credentials');
  }
  const borrowed = await server.logIn(other.email, password, { headers: device });
  assertAnswer(borrowed, 429, 'rate_limited', 'the device of another user');
});

// CVE-2026-45364 (Better Auth): every address of an IPv6 network, and every spelling of one, had a limit of its own.
onRealServers('a network has one budget, however many addresses and spellings it has', async (s) => {
  const server = await s.start({
    RATE_LIMITS: 'on',
    TRUSTED_PROXIES: '127.0.0.1',
    THROTTLE_NETWORK_FAILURES_PER_HOUR: 12,
  });
  for (const [addresses, stranger] of [
    [
      [
        '2001:db8:1:2::1',
        '2001:DB8:1:2::1',
        '2001:0db8:0001:0002:0000:0000:0000:0001',
        '2001:db8:1:2:ffff:ffff:ffff:ffff',
        '2001:db8:1:2:a:b:c:d',
        '[2001:db8:1:2::9]:4711',
        '2001:db8:1:2::192.0.2.1',
      ],
      '2001:db8:1:3::1',
    ],
    [
      ['192.0.2.7', '::ffff:192.0.2.7', '::FFFF:c000:207', '192.0.2.7:4711', '[::ffff:192.0.2.7]:80'],
      '192.0.2.8',
    ],
  ] as const) {
    let index = 0;
    const guess = (address: string) =>
      server.logIn(`user${index++}@example.com`, 'WrongPass123!', { headers: ['x-forwarded-for', address] });
    for (let round = 0; round < 12; round++) {
      const address = addresses[round % addresses.length] ?? '';
      assertAnswer(await guess(address), 401, 'invalid_credentials', address);
    }
    for (const address of addresses) assertAnswer(await guess(address), 429, 'rate_limited', address);
    assertAnswer(await guess(stranger), 401, 'invalid_credentials', stranger);
    s.advance(3600);
  }
});

// GHSA-hm36-ffrh-c77c (Litestar): X-Forwarded-For was believed of anybody, and each made-up address had a limit of its
// own.
onRealServers('no header of a stranger tells where a request comes from', async (s) => {
  const limits = { RATE_LIMITS: 'on', THROTTLE_NETWORK_FAILURES_PER_HOUR: 12 } as const;
  const DATABASE_URL = await s.database.createReadyUrl();
  for (const [settings, from] of [
    [{ ...limits, DATABASE_URL }, (address: string) => address],
    // What a proxy was sent stands left of what it saw itself.
    [{ ...limits, TRUSTED_PROXIES: '127.0.0.1' }, (address: string) => `${address}, 198.51.100.7`],
  ] as const) {
    const server = await s.start(settings);
    const names = [
      'x-forwarded-for',
      'forwarded',
      'x-real-ip',
      'cf-connecting-ip',
      'true-client-ip',
      'x-client-ip',
    ];
    const answers: RawAnswer[] = [];
    for (let guess = 0; guess < 16; guess++) {
      const address = `203.0.113.${guess}`;
      const headers = names.flatMap((name) => {
        if (name === 'forwarded') return [name, `for=${address}`];
        return [name, name === 'x-forwarded-for' ? from(address) : address];
      });
      answers.push(await server.logIn(`user${guess}@example.com`, 'WrongPass123!', { headers }));
    }
    assert.deepEqual(
      answers.map(({ status }) => status),
      [...Array(12).fill(401), ...Array(4).fill(429)],
    );
  }
});

// CVE-2025-64526 (Strapi): a field that the endpoint did not even have was part of what a limit counted by.
onRealServers('nothing else that is sent with a guess makes it count as another', async (s) => {
  const server = await s.start({ RATE_LIMITS: 'on' });
  const email = 'victim@example.com';
  await server.doorward.admin.create({ email, password, name: 'Victim' });
  for (const fields of [{ email: 'x@example.com' }, { identifier: 'x' }, { captcha: 'x' }]) {
    const answer = await server.logIn(email, 'WrongPass123!', { fields });
    assertAnswer(answer, 422, 'validation_error');
  }
  const given = 'WrongPass123!';
  const form = (fields: object, headers: readonly string[] = []) =>
    server.send({
      method: 'POST',
      path: '/auth/login',
      headers: ['content-type', 'application/x-www-form-urlencoded', ...headers],
      body: String(new URLSearchParams({ username: email, password: given, ...fields })),
    });
  const guesses: (() => Promise<RawAnswer>)[] = [
    () => server.logIn(email, given, { fields: { client_id: 'a', scope: 'a' } }),
    () => form({ client_id: 'b', client_secret: 'b' }),
    () => server.logIn(email, given, { headers: ['user-agent', 'c', 'cookie', 'session=c'] }),
    () => form({ scope: 'd' }, ['accept-language', 'd', 'origin', 'https://d.example', 'x-request-id', 'd']),
    () => server.logIn(email.toUpperCase(), given, { headers: ['x-device-token', 'e'.repeat(80)] }),
  ];
  for (const guess of guesses) assertAnswer(await guess(), 401, 'invalid_credentials');
  for (const guess of guesses) assertAnswer(await guess(), 429, 'rate_limited');
});

// CVE-2026-9798 (Keycloak): one way to authenticate did not ask whether the account was being guessed at.
onRealServers('every way to try a password is counted', async (s) => {
  const server = await s.start({ RATE_LIMITS: 'on' });
  const user = await server.signIn();
  const { body: second } = await server.logIn(user.email);
  const tries = [
    (token: string, current_password: string) =>
      server.ask('POST', '/auth/me/password', {
        json: { current_password, new_password: newPassword },
        token,
      }),
    (token: string, current_password: string) =>
      server.ask('DELETE', '/auth/me', { json: { current_password }, token }),
  ] as const;
  // A stolen session has five tries over all ways together, and then waits; the right password waits too.
  for (let guess = 0; guess < 5; guess++) {
    const answer = await tries[guess % 2 === 0 ? 0 : 1](user.access_token, 'WrongPass123!');
    assertAnswer(answer, 400, 'current_password_incorrect');
  }
  for (const attempt of tries) {
    assertAnswer(await attempt(user.access_token, 'WrongPass123!'), 429, 'rate_limited');
    assertAnswer(await attempt(user.access_token, password), 429, 'rate_limited');
  }
  // They count against the account as well, and stand in nobody else's way who is logged in.
  assertAnswer(await server.logIn(user.email), 429, 'rate_limited');
  assert.equal((await server.me(user.access_token)).status, 200);
  assert.equal((await tries[0](second.access_token, password)).status, 200);
});

// CVE-2026-1035 (Keycloak), CVE-2026-50631 (Apache CXF): whether a refresh token was used was checked and noted in two
// steps, so that parallel requests each got tokens for it.
onRealServers('refreshes sent in parallel with one token give one pair of tokens', async (s) => {
  const servers = [
    await s.start({ REFRESH_GRACE_SECONDS: 0 }),
    await s.start({ REFRESH_GRACE_SECONDS: 0 }),
  ] as const;
  for (let round = 0; round < 3; round++) {
    const user = await servers[0].signIn();
    s.advance(60);
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, i) => (servers[i % 2] ?? servers[0]).refresh(user.refresh_token)),
    );
    const given = answers.filter(({ status }) => status === 200);
    assert.ok(given.length <= 1, `${given.length} pairs of tokens`);
    for (const answer of answers) {
      if (answer.status !== 200) assertAnswer(answer, 401, 'invalid_refresh_token');
    }
    // The others were replays, and strict rotation ends the session for them.
    for (const server of servers) {
      await assertDead(server, user, 'the token that was shown');
      for (const { body } of given) await assertDead(server, body, 'what was got for it');
    }
  }
});

// CVE-2025-48936 (ZITADEL), CVE-2026-27812 (Sub2API): links were made from the Host and X-Forwarded-* headers of
// whoever asked, so that a reset link led to the attacker.
onRealServers('no header of a client decides a URL that is made', async (s) => {
  const PUBLIC_URL = 'https://accounts.example.com';
  // A proxy that is trusted passes on what it was sent.
  const server = await s.start({ PUBLIC_URL, TRUSTED_PROXIES: '127.0.0.1' });
  const admin = await server.signIn({ is_admin: true });
  await server.signIn();
  const hostile = [
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Server: evil.example',
    'X-Forwarded-Proto: evil.example',
    'X-Forwarded-Port: 6666',
    'X-Forwarded-Prefix: //evil.example',
    'X-Original-URL: //evil.example/auth/users',
    'X-Rewrite-URL: //evil.example/auth/users',
    'X-Host: evil.example',
    'Forwarded: for=127.0.0.1;host=evil.example;proto=http',
    'Origin: https://evil.example',
    'Referer: https://evil.example/',
  ];
  const { host } = new URL(server.url);
  const paths = [
    '/auth/users?limit=1',
    '/auth/me',
    '/auth/me/sessions',
    '/auth/revocations',
    '/.well-known/jwks.json',
    '/openapi.json',
    '/docs',
    '/docs/static/swagger-initializer.js',
    '/health/ready',
  ];
  for (const path of paths) {
    for (const [target, name] of [
      [path, 'evil.example'],
      [path, host],
      [`http://evil.example${path}`, host],
      [`http://evil.example${path}`, 'evil.example'],
    ]) {
      const answer = await sendText(server.url, [
        `GET ${target} HTTP/1.1`,
        `Host: ${name}`,
        `Authorization: Bearer ${admin.access_token}`,
        ...hostile,
      ]);
      assert.doesNotMatch(answer.text, /evil\.example|6666/, `${target} of ${name}: ${answer.status}`);
      if (target === '/auth/users?limit=1') assert.match(answer.text, /^link: <\/auth\/users\?/im);
    }
  }
  const body = JSON.stringify({ username: admin.email, password });
  const login = await sendText(
    server.url,
    ['POST /auth/login HTTP/1.1', 'Host: evil.example', 'Content-Type: application/json', ...hostile],
    body,
  );
  const [, token = ''] = /"access_token":"([^"]+)"/.exec(login.text) ?? [];
  const { iss, aud } = decodeJwt(token);
  assert.deepEqual([iss, aud], [PUBLIC_URL, PUBLIC_URL]);
});

// CVE-2026-22817 and CVE-2026-22818 (Hono): the algorithm and the key were those that the token's own header named.
onRealServers('a token signed with what is public, or with a key of its own, is refused', async (s) => {
  let asked = 0;
  const elsewhere = createServer((_request, response) => {
    asked++;
    response.end();
  });
  elsewhere.listen(0, '127.0.0.1');
  await once(elsewhere, 'listening');
  s.t.after(() => elsewhere.close());
  const jku = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/jwks.json`;
  const pair = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const own = await importPKCS8(pair.privateKey, 'ES256');
  const ownJwk = await exportJWK(createPublicKey(pair.publicKey));
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

  const attack = async (ALGORITHM: 'ES256' | 'RS256' | 'EdDSA' | 'HS256') => {
    const server = await s.start({ ALGORITHM, DATABASE_URL: await s.database.createReadyUrl() });
    const user = await server.signIn({ is_admin: true });
    const claims = decodeJwt(user.access_token);
    const payload = encode(claims);
    const head = headerOf(user.access_token);
    const { keys } = (await server.ask('GET', '/.well-known/jwks.json')).body;
    const kids = [...keys.map(({ kid }: { kid: string }) => kid), undefined];
    const published = keys.flatMap((jwk: { x?: string; n?: string }) => {
      const key = createPublicKey({ key: jwk as never, format: 'jwk' });
      const pem = key.export({ type: 'spki', format: 'pem' });
      return [
        pem,
        String(pem).trim(),
        key.export({ type: 'spki', format: 'der' }),
        JSON.stringify(jwk),
        jwk.x ?? jwk.n ?? '',
        Buffer.from(jwk.x ?? jwk.n ?? '', 'base64url'),
      ];
    });
    const macs = (secret: string | Buffer) =>
      (['HS256', 'HS384', 'HS512'] as const).flatMap((alg) =>
        kids.map((kid) => {
          const signed = `${encode({ ...head, alg, kid })}.${payload}`;
          return `${signed}.${createHmac(`sha${alg.slice(2)}`, secret)
            .update(signed)
            .digest('base64url')}`;
        }),
      );
    const signedWithOwn = (header: object) =>
      new CompactSign(Buffer.from(JSON.stringify(claims)))
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', ...header })
        .sign(own);
    const signature = user.access_token.split('.')[2];
    const tokens = [
      ...[...published, '', '\0', 'null'].flatMap(macs),
      ...['none', 'None', 'NONE', 'nOnE', '', null].flatMap((alg) =>
        kids.flatMap((kid) =>
          ['', signature].map((rest) => `${encode({ ...head, alg, kid })}.${payload}.${rest}`),
        ),
      ),
      ...(await Promise.all(
        kids.flatMap((kid) =>
          [{}, { jwk: ownJwk }, { jku }, { x5u: jku }, { x5c: [pair.publicKey] }].map((header) =>
            signedWithOwn({ ...header, kid }),
          ),
        ),
      )),
      await signedWithOwn({ kid: '../../../../dev/null' }),
      await signedWithOwn({ kid: "' or 1=1 --" }),
    ];
    assert.equal((await server.me(user.access_token)).status, 200);
    const service = await server.doorward.services.create('service');
    const basic = Buffer.from(`service:${service.secret}`).toString('base64');
    // At once: a token of an unknown key waits until the keys have been looked for again, together with the others.
    const answers = await Promise.all(tokens.map((token) => server.me(token)));
    for (const [index, answer] of answers.entries()) {
      assertAnswer(answer, 401, 'invalid_token', `${ALGORITHM}: ${tokens[index]}`);
    }
    const told = await Promise.all(
      tokens.map((token) =>
        server.send({
          method: 'POST',
          path: '/auth/introspect',
          headers: [...json, 'authorization', `Basic ${basic}`],
          body: JSON.stringify({ token }),
        }),
      ),
    );
    for (const { body } of told) assert.deepEqual(body, { active: false });
  };
  await Promise.all((['ES256', 'RS256', 'EdDSA', 'HS256'] as const).map(attack));
  assert.equal(asked, 0, 'a key was asked for where the token said');
});

// GHSA-x732-6j76-qmhm (Better Auth), CVE-2026-47676 (Hono): a path with two slashes or an encoded letter met the handler
// and not the limit before it.
onRealServers('a path that differs in slashes, case or encoding is no way to an endpoint', async (s) => {
  const server = await s.start();
  const user = await server.signIn();
  const before = await storedAccounts(s.databaseUrl);
  const body = JSON.stringify({ username: user.email, password });
  const variants = [
    '//auth/login',
    '///auth/login',
    '/auth//login',
    '/auth/login/',
    '/auth/login//',
    '/Auth/login',
    '/auth/Login',
    '/AUTH/LOGIN',
    '/auth/%6cogin',
    '/auth/%6Cogin',
    '/%61uth/login',
    '/auth%2flogin',
    '/auth%2Flogin',
    '/auth%5clogin',
    '/auth\\login',
    '/auth/./login',
    '/./auth/login',
    '/auth/x/../login',
    '/auth/%2e/login',
    '/auth/x/%2e%2e/login',
    '/auth/login%20',
    '/auth/login%09',
    '/auth/login%00',
    '/auth/login%3f',
    '/auth/login%23',
    '/auth/login;x=1',
    '/auth;x=1/login',
    '/auth/login.json',
    '/auth/login,',
    '/auth/%25%36%63ogin',
    '/auth/l%C3%B6gin',
    '/auth/ﬂogin',
    'http://127.0.0.1//auth/login',
    'http://127.0.0.1/auth//login',
    'http://127.0.0.1/auth/%6cogin',
    '*',
  ];
  for (const target of variants) {
    const answer = await sendText(
      server.url,
      [`POST ${target} HTTP/1.1`, 'Host: localhost', 'Content-Type: application/json'],
      body,
    );
    assert.ok([400, 404].includes(answer.status), `${target}: ${answer.text}`);
  }
  for (const target of ['/auth//me', '/auth/ME', '/auth/me/', '/auth/%6de', '//auth/me']) {
    const headers = [
      `GET ${target} HTTP/1.1`,
      'Host: localhost',
      `Authorization: Bearer ${user.access_token}`,
    ];
    assert.equal((await sendText(server.url, headers)).status, 404, target);
  }
  assert.equal(await storedAccounts(s.databaseUrl), before);
  assert.equal((await server.logIn(user.email)).status, 200);
});

// CVE-2026-9802 (Keycloak): after a restart a refresh token that had been rotated away was honoured again.
onEachDatabase((database) => {
  test('a restart revives no token that was spent, revoked or withdrawn', async (t) => {
    const cwd = await mkdtemp(join(tmpdir(), 'doorward-restart-'));
    t.after(() => rm(cwd, { recursive: true, force: true }));
    const options = {
      cwd,
      env: {
        DATABASE_URL: await database.createReadyUrl(),
        SECRET_KEY: 'restart-0c9e1b7d5f3a2846-not-a-sample',
        LOG_LEVEL: 'silent',
        REFRESH_GRACE_SECONDS: '0',
        RATE_LIMITS: 'off',
      },
    };
    const created = await runCommand(
      ['users', 'create', '--email', 'admin@example.com', '--name', 'A', '--admin', '--password-stdin'],
      { ...options, input: `${password}\n` },
    );
    assert.equal(created.code, 0, created.stderr);
    let server = await startServe(options);
    let client = createClient(server.url);
    t.after(() => {
      client.close();
      server.signal('SIGKILL');
    });
    const ask = async (method: string, path: string, given: { json?: unknown; token?: string } = {}) => {
      const answer = await client.ask(method, path, given);
      assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`);
      return answer.body;
    };
    const logIn = (username: string) => ask('POST', '/auth/login', { json: { username, password } });
    const admin = await logIn('admin@example.com');
    const signIn = async (name: string) => {
      const email = `${name}@example.com`;
      const { id } = await ask('POST', '/auth/signup', { json: { email, password, name: 'U' } });
      return { id, ...(await logIn(email)) };
    };

    const dead: { what: string; access_token?: string; refresh_token?: string }[] = [];
    const loggedOut = await signIn('logged-out');
    await ask('POST', '/auth/logout', { token: loggedOut.access_token });
    dead.push({ what: 'logged out', ...loggedOut });
    const revoked = await signIn('revoked');
    await ask('DELETE', `/auth/users/${revoked.id}/sessions`, { token: admin.access_token });
    dead.push({ what: 'revoked', ...revoked });
    const changed = await signIn('changed');
    const other = await logIn('changed@example.com');
    await ask('POST', '/auth/me/password', {
      json: { current_password: password, new_password: newPassword },
      token: other.access_token,
    });
    dead.push({ what: 'password changed', ...changed });
    const deleted = await signIn('deleted');
    await ask('DELETE', `/auth/users/${deleted.id}`, { token: admin.access_token });
    dead.push({ what: 'deleted', ...deleted });
    const returned = await signIn('returned');
    for (const action of ['deactivate', 'activate']) {
      await ask('POST', `/auth/users/${returned.id}/${action}`, { token: admin.access_token });
    }
    dead.push({ what: 'deactivated and activated', ...returned });
    const spent = await signIn('spent');
    const { refresh_token } = spent;
    const next = await ask('POST', '/auth/refresh', { json: { refresh_token } });

    server.signal('SIGKILL');
    await server.ended;
    client.close();
    server = await startServe(options);
    client = createClient(server.url);

    for (const { what, access_token, refresh_token } of dead) {
      assertAnswer(
        await client.ask('GET', '/auth/me', { token: access_token ?? '' }),
        401,
        'invalid_token',
        what,
      );
      assertAnswer(
        await client.ask('POST', '/auth/refresh', { json: { refresh_token } }),
        401,
        'invalid_refresh_token',
        what,
      );
    }
    await ask('GET', '/auth/me', { token: next.access_token });
    const replay = await client.ask('POST', '/auth/refresh', { json: { refresh_token } });
    assertAnswer(replay, 401, 'invalid_refresh_token', 'spent');
    const after = await client.ask('GET', '/auth/me', { token: next.access_token });
    assertAnswer(after, 401, 'invalid_token', 'the replay ended the session');
    await ask('GET', '/auth/me', { token: admin.access_token });
  });
});

// GHSA-56p6-qw3c-fq2g (Directus), CVE-2025-3230 (Mattermost): tokens of a suspended user went on until they expired.
onRealServers('a user who is disabled keeps no token, on any instance', async (s) => {
  const one = await s.start();
  const two = await s.start();
  const admin = await one.signIn({ is_admin: true });
  const user = await one.signIn({ is_admin: true });
  const { body: refreshed } = await two.refresh(user.refresh_token);
  for (const server of [one, two]) assert.equal((await server.me(user.access_token)).status, 200);
  const { secret } = await one.doorward.services.create('service');
  const introspect = (token: string) =>
    two.send({
      method: 'POST',
      path: '/auth/introspect',
      headers: [...json, 'authorization', `Basic ${Buffer.from(`service:${secret}`).toString('base64')}`],
      body: JSON.stringify({ token }),
    });
  assert.equal((await introspect(user.access_token)).body.active, true);

  const path = `/auth/users/${user.id}`;
  await one.ask('POST', `${path}/deactivate`, { token: admin.access_token });
  for (const server of [one, two]) {
    for (const token of [user.access_token, refreshed.access_token]) {
      for (const [method, asked] of [
        ['GET', '/auth/me'],
        ['PATCH', '/auth/me'],
        ['GET', '/auth/users'],
        ['POST', `${path}/activate`],
        ['GET', '/auth/me/sessions'],
      ] as const) {
        assertAnswer(await server.ask(method, asked, { token }), 403, 'inactive_user', asked);
      }
    }
    for (const token of [user.refresh_token, refreshed.refresh_token]) {
      assertAnswer(await server.refresh(token), 401, 'invalid_refresh_token');
    }
    assertAnswer(await server.logIn(user.email), 403, 'account_deactivated');
    assertAnswer(await server.logIn(user.email, 'WrongPass123!'), 401, 'invalid_credentials');
  }
  for (const token of [user.access_token, user.refresh_token]) {
    assert.deepEqual((await introspect(token)).body, { active: false });
  }
  await two.ask('POST', `${path}/activate`, { token: admin.access_token });
  for (const server of [one, two]) await assertDead(server, user, 'after reactivation');
});

// CVE-2026-22706 (Strapi): a password change left refresh tokens alive unless the client named its device.
onRealServers(
  'a password change ends the other sessions, whatever the client says or leaves out',
  async (s) => {
    const server = await s.start();
    const admin = await server.signIn({ is_admin: true });
    const user = await server.signIn();
    const { body: asking } = await server.logIn(user.email);
    const { body: third } = await server.logIn(user.email);
    const change = (more: object) =>
      server.ask('POST', '/auth/me/password', {
        json: { current_password: password, new_password: newPassword, ...more },
        token: asking.access_token,
      });
    for (const more of [{ device_id: 'x' }, { deviceId: 'x' }, { keep_sessions: true }, { sid: 'x' }]) {
      assertAnswer(await change(more), 422, 'validation_error');
    }
    assert.equal((await server.me(user.access_token)).status, 200);
    assert.equal((await change({})).status, 200);
    for (const tokens of [user, third]) await assertDead(server, tokens, 'another session');
    assert.equal((await server.me(asking.access_token)).status, 200);
    assert.equal((await server.refresh(asking.refresh_token)).status, 200);
    assert.equal((await server.me(admin.access_token)).status, 200);
    assertAnswer(await server.logIn(user.email), 401, 'invalid_credentials');
  },
);

// CVE-2026-40263 (Note Mark): no hash was computed for an unknown user. CVE-2025-22234 (Spring Security): a password too
// long for the hash was refused before the work that an unknown user costs.
onRealServers('a password of any length costs and says the same for every address', async (s) => {
  const server = await s.start({ HASH_CONCURRENCY: 1 });
  const admin = await server.signIn({ is_admin: true });
  const off = await server.signIn();
  await server.ask('POST', `/auth/users/${off.id}/deactivate`, { token: admin.access_token });
  const run = s.t.mock.method(server.doorward.passwords.queue, 'run');
  for (const length of [0, 1, 71, 72, 73, 128, 129, 4097, 60_000]) {
    const seen: object[] = [];
    for (const username of [admin.email, off.email, 'unknown@example.com', 'no address']) {
      run.mock.resetCalls();
      const answer = await server.logIn(username, 'x'.repeat(length));
      seen.push({ status: answer.status, text: answer.text, hashes: run.mock.callCount() });
    }
    for (const other of seen) assert.deepEqual(other, seen[0], `${length} characters`);
    assert.deepEqual((seen[0] as { status: number; hashes: number }).status, 401);
    assert.deepEqual((seen[0] as { status: number; hashes: number }).hashes, 1);
  }
});

// CVE-2025-22228 (Spring Security): bcrypt reads 72 octets, so that a longer password was right with any other end.
onRealServers('every character of a password counts, beyond 72 octets too', async (s) => {
  const server = await s.start();
  const base = `Aa1!${'x'.repeat(67)}`;
  for (const [email, long] of [
    ['one@example.com', `${base}y`],
    ['two@example.com', `${base}yz`],
    ['three@example.com', `${base}${'y'.repeat(57)}`],
    ['four@example.com', `Aa1!${'\u{1f600}'.repeat(124)}`],
  ] as const) {
    await server.doorward.admin.create({ email, password: long, name: 'Test User' });
    assert.equal((await server.logIn(email, long)).status, 200);
    const characters = [...long];
    for (const other of [characters.slice(0, -1), [...characters.slice(0, -1), 'w'], [...characters, 'w']]) {
      assertAnswer(await server.logIn(email, other.join('')), 401, 'invalid_credentials', email);
    }
  }
});

// CVE-2013-1443 (Django): a password of megabytes was hashed, and kept the server busy for a minute.
onRealServers('a password of absurd size is refused before it is hashed', async (s) => {
  const server = await s.start();
  const user = await server.signIn();
  const run = s.t.mock.method(server.doorward.passwords.queue, 'run');
  const huge = 'Aa1!'.repeat(300_000);
  assertAnswer(await server.logIn(user.email, huge), 413, 'payload_too_large');
  const long = `Aa1!${'x'.repeat(125)}`;
  for (const [path, fields, token] of [
    ['/auth/signup', { email: 'long@example.com', name: 'L', password: long }, undefined],
    ['/auth/me/password', { current_password: password, new_password: long }, user.access_token],
  ] as const) {
    const answer = await server.ask('POST', path, {
      json: fields,
      ...(token === undefined ? {} : { token }),
    });
    assertAnswer(answer, 422, 'validation_error', path);
  }
  assert.equal(run.mock.callCount(), 0);
});

// CVE-2026-25223 (Fastify): a tab in the content type made a body be read but not be validated.
onRealServers('no content type gets a body past its schema', async (s) => {
  const server = await s.start();
  const before = await storedAccounts(s.databaseUrl);
  const body = JSON.stringify({ email: 'evil@example.com', password, name: 'E', is_admin: true });
  for (const type of [
    'application/json\ta',
    'application/json\t',
    'application/json\t;charset=utf-8',
    'application/json ;a',
    'application/json;',
    'application/json; charset=utf-7',
    'application/json,text/plain',
    'application/json, application/json',
    'Application/JSON',
    'application/json+x',
    'application/vnd.api+json',
    'text/json',
    'text/plain',
    '*/*',
    'application/x-www-form-urlencoded\tapplication/json',
    '',
  ]) {
    const answer = await sendText(
      server.url,
      ['POST /auth/signup HTTP/1.1', 'Host: localhost', `Content-Type: ${type}`],
      body,
    );
    assert.ok([400, 415, 422].includes(answer.status), `${JSON.stringify(type)}: ${answer.text}`);
  }
  for (const types of [
    ['application/json', 'text/plain'],
    ['text/plain', 'application/json'],
  ]) {
    const lines = types.map((type) => `Content-Type: ${type}`);
    const answer = await sendText(
      server.url,
      ['POST /auth/signup HTTP/1.1', 'Host: localhost', ...lines],
      body,
    );
    assert.ok([400, 415, 422].includes(answer.status), `${types}: ${answer.text}`);
  }
  assert.equal(await storedAccounts(s.databaseUrl), before);
});

// CVE-2026-27946 (ZITADEL): a field that only others may set was taken from the owner's own update.
onRealServers('nobody gives themselves a field that is not theirs to set', async (s) => {
  const server = await s.start();
  const admin = await server.signIn({ is_admin: true });
  const user = await server.signIn();
  const before = await storedAccounts(s.databaseUrl);
  const fields = {
    is_admin: true,
    isAdmin: true,
    is_active: false,
    id: 1,
    user_id: admin.id,
    role: 'admin',
    roles: ['admin'],
    created_at: '2000-01-01T00:00:00Z',
    email_verified: true,
    email_key: 'x',
    password: newPassword,
    hashed_password: 'x',
    '__proto__.is_admin': true,
    'is_admin[]': true,
    constructor: { prototype: { is_admin: true } },
  };
  for (const [name, value] of Object.entries(fields)) {
    for (const [method, path, own] of [
      ['PATCH', '/auth/me', { name: 'New' }],
      ['PUT', '/auth/me', { name: 'New' }],
      ['POST', '/auth/me/password', { current_password: password, new_password: newPassword }],
      ['POST', '/auth/signup', { email: 'new@example.com', password, name: 'N' }],
      ['POST', '/auth/setup', { token: 'x', email: 'new@example.com', password, name: 'N' }],
    ] as const) {
      if (name in own) continue;
      const answer = await server.ask(method, path, {
        json: { ...own, [name]: value },
        token: user.access_token,
      });
      assertAnswer(answer, 422, 'validation_error', `${name} at ${method} ${path}`);
    }
  }
  const raw = await server.send({
    method: 'PATCH',
    path: '/auth/me?is_admin=true',
    headers: [...json, 'authorization', `Bearer ${user.access_token}`],
    body: '{"name":"Test User","__proto__":{"is_admin":true}}',
  });
  assertAnswer(raw, 422, 'validation_error');
  assert.equal(await storedAccounts(s.databaseUrl), before);
});

// CVE-2023-22894 (Strapi): users could be filtered by their password hash, and so it was read, a character at a time.
// CVE-2026-1312 (Django): a name given as an order reached the statement.
onRealServers('neither a filter nor an order reaches a column that is not offered', async (s) => {
  const server = await s.start();
  const admin = await server.signIn({ is_admin: true });
  for (let i = 0; i < 3; i++) await server.signIn();
  const list = (query: string) => server.ask('GET', `/auth/users?${query}`, { token: admin.access_token });
  const plain = await list('');
  assert.equal(plain.body.length, 4);
  for (const sort of [
    'password',
    'hash',
    '-hash',
    'passwords.hash',
    'email_key',
    'search_text',
    'updated_at',
    'ID',
    '+id',
    '--id',
    'id;',
    'id,name',
    'id desc',
    "id' or '1'='1",
    '(select hash from passwords)',
    'case when 1=1 then id else name end',
    '1',
    '',
  ]) {
    assertAnswer(await list(`sort=${encodeURIComponent(sort)}`), 422, 'validation_error', sort);
  }
  for (const filter of [
    'password=x',
    'hash=x',
    'hash[$startsWith]=%24argon2id',
    'filters[password][$startsWith]=%24',
    'filter={"hash":{"_starts_with":"$"}}',
    'where[hash][like]=%25',
    'email_key=x',
    'id=1',
  ]) {
    const answer = await list(filter);
    assert.deepEqual([answer.status, answer.text], [200, plain.text], filter);
  }
  // What is searched is email and name, and no character of the text is a wildcard or ends it.
  for (const q of [
    '$argon2id',
    'argon2',
    '%',
    '_eal',
    'real%',
    '%%%',
    '___',
    "' or 1=1 --",
    '"*',
    'a* OR b',
  ]) {
    const answer = await list(`q=${encodeURIComponent(q)}`);
    assert.deepEqual([answer.status, answer.text], [200, '[]'], q);
  }
  // A cursor holds the order that it was made for, and no other is read from it.
  const { headers } = await list('limit=1&sort=email');
  const [, cursor = ''] = /cursor=([^&>]+)/.exec(headers.link ?? '') ?? [];
  assert.ok(cursor.length > 0);
  assertAnswer(await list(`cursor=${cursor}&sort=name`), 422, 'validation_error');
  const decoded = Buffer.from(decodeURIComponent(cursor), 'base64url').toString();
  for (const forged of [decoded.replace('email', 'hash'), '{}', '[]', 'null', `${decoded} or 1=1`, '"']) {
    const answer = await list(`sort=email&cursor=${Buffer.from(forged).toString('base64url')}`);
    assert.ok(answer.status === 422 || forged === decoded, `${forged}: ${answer.text}`);
  }
});

// CVE-2023-36053 (Django): an address with very many labels kept its validator busy for ever.
onRealServers('no address keeps the server busy', async (s) => {
  const server = await s.start();
  const user = await server.signIn();
  const addresses = [50, 250, 1000, 60_000].flatMap((length) => {
    const times = (text: string) => text.repeat(Math.ceil(length / text.length));
    return [
      `a@${times('a.')}`,
      `a@${times('a.')}!`,
      `a@${times('a-')}`,
      `a@${times('-.')}com`,
      `a@${times('xn--')}`,
      `a@${times('ä.')}`,
      `${times('a.')}@`,
      `${times('a')}!`,
      `${times('a.')}`,
      `${times('@')}`,
      `${times('a@')}example.com!`,
      `"${times('\\"')}"@example.com`,
      `${times('(')}@example.com`,
      `${times(' ')}a@example.com${times(' ')}!`,
      `a@[${times('1:')}]`,
      `${times('e\u0301')}@example.com!`,
    ];
  });
  for (const email of addresses) {
    const what = `${email.slice(0, 20)}, ${email.length}`;
    for (const [method, path, body, status] of [
      ['POST', '/auth/signup', { email, password, name: 'A' }, 422],
      ['PATCH', '/auth/me', { email }, 422],
    ] as const) {
      const answer = await server.ask(method, path, { json: body, token: user.access_token });
      assert.ok([status, 413].includes(answer.status), `${path} ${what}: ${answer.text}`);
    }
  }
  const answers = await Promise.all(addresses.slice(0, 8).map((email) => server.logIn(email)));
  for (const { status } of answers) assert.equal(status, 401);
});

// CVE-2025-62610 (Hono): a token for another audience of the same issuer was accepted.
onRealServers('a token of another audience or issuer is refused, though its signature is good', async (s) => {
  for (const ALGORITHM of ['ES256', 'HS256'] as const) {
    const DATABASE_URL = await s.database.createReadyUrl();
    const settings = { DATABASE_URL, ALGORITHM, ISSUER: 'https://a.example', AUDIENCE: 'service-a' };
    const one = await s.start(settings);
    const user = await one.signIn();
    for (const [change, is] of [
      [{}, 200],
      [{ AUDIENCE: 'service-b' }, 401],
      [{ AUDIENCE: 'service' }, 401],
      [{ AUDIENCE: 'SERVICE-A' }, 401],
      [{ ISSUER: 'https://b.example' }, 401],
      [{ ISSUER: 'https://a.example/' }, 401],
    ] as const) {
      const other = await s.start({ ...settings, ...change });
      assert.equal((await other.me(user.access_token)).status, is, JSON.stringify(change));
    }
  }
});

// CVE-2026-47673 (Hono): a token was taken from an Authorization header of any scheme.
onRealServers('a token counts behind Bearer alone', async (s) => {
  const server = await s.start();
  const { access_token } = await server.signIn();
  const me = (authorization: string) =>
    server.send({ method: 'GET', path: '/auth/me', headers: ['authorization', authorization] });
  for (const scheme of [
    'Basic ',
    'Digest ',
    'Token ',
    'JWT ',
    'DPoP ',
    'Bearerx ',
    'xBearer ',
    'Bearer:',
    '',
  ]) {
    const answer = await me(`${scheme}${access_token}`);
    assertAnswer(answer, 401, 'not_authenticated', scheme);
  }
  for (const value of [
    `Bearer ${access_token} x`,
    `Bearer Bearer ${access_token}`,
    `Bearer ${access_token},`,
  ]) {
    assertAnswer(await me(value), 401, 'invalid_token', value.slice(0, 20));
  }
  for (const scheme of ['Bearer ', 'bearer ', 'BEARER ']) {
    assert.equal((await me(`${scheme}${access_token}`)).status, 200);
  }
});

// CVE-2023-29003 (SvelteKit): a cross-site form that called itself text/plain was not taken for one.
onRealServers('a page of another site changes nothing with the cookies of a user', async (s) => {
  const server = await s.start({ PUBLIC_URL: 'http://localhost:8000' });
  const { email } = await server.signIn({ is_admin: true });
  const victim = await server.signIn();
  const login = await server.send({
    method: 'POST',
    path: '/auth/login?transport=cookie',
    headers: [...json, 'origin', 'http://localhost:8000', 'sec-fetch-site', 'same-origin'],
    body: JSON.stringify({ username: email, password }),
  });
  assert.equal(login.status, 200, login.text);
  const cookie = [login.headers['set-cookie'] ?? []]
    .flat()
    .map((line) => line.split(';')[0])
    .join('; ');
  assert.match(cookie, /doorward_access=.+; doorward_refresh=.+/);
  const before = await storedAccounts(s.databaseUrl);

  const sources = [
    ['origin', 'https://evil.example', 'sec-fetch-site', 'cross-site'],
    ['origin', 'https://evil.example'],
    ['origin', 'null', 'sec-fetch-site', 'cross-site'],
    ['origin', 'null'],
    ['sec-fetch-site', 'same-site'],
    ['sec-fetch-site', 'none'],
    ['referer', 'http://localhost:8000/'],
    ['origin', 'http://localhost:8000.evil.example'],
    ['origin', 'http://localhost:8000', 'sec-fetch-site', 'cross-site'],
    [],
  ];
  const types = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json',
    undefined,
  ];
  const requests = [
    ['POST', '/auth/logout', ''],
    ['POST', '/auth/refresh?transport=cookie', ''],
    ['PATCH', '/auth/me', '{"name":"Evil"}'],
    ['DELETE', '/auth/me', JSON.stringify({ current_password: password })],
    ['DELETE', '/auth/me/sessions', ''],
    ['POST', '/auth/me/password', JSON.stringify({ current_password: password, new_password: newPassword })],
    [
      'POST',
      '/auth/users',
      JSON.stringify({ email: 'evil@example.com', password, name: 'E', is_admin: true }),
    ],
    ['POST', `/auth/users/${victim.id}/deactivate`, ''],
    ['DELETE', `/auth/users/${victim.id}`, ''],
  ] as const;
  for (const [method, path, body] of requests) {
    for (const source of sources) {
      for (const type of types) {
        const answer = await server.send({
          method,
          path,
          headers: ['cookie', cookie, ...source, ...(type === undefined ? [] : ['content-type', type])],
          ...(body === '' ? {} : { body }),
        });
        assertAnswer(answer, 403, 'cross_site_request', `${method} ${path} ${type} ${source}`);
        assert.equal(answer.headers['set-cookie'], undefined);
      }
    }
  }
  // Logging a victim in as somebody else.
  for (const source of sources) {
    for (const type of types) {
      const answer = await server.send({
        method: 'POST',
        path: '/auth/login?transport=cookie',
        headers: [...source, ...(type === undefined ? [] : ['content-type', type])],
        body:
          type === 'application/json'
            ? JSON.stringify({ username: email, password })
            : String(new URLSearchParams({ username: email, password })),
      });
      assert.ok([403, 415].includes(answer.status), `${type} ${source}: ${answer.text}`);
      assert.equal(answer.headers['set-cookie'], undefined);
    }
  }
  assert.equal(await storedAccounts(s.databaseUrl), before);
});

// CVE-2026-44457 (Hono): what was answered to one user was kept by a cache and given to another.
onRealServers('no answer to somebody who is logged in may be kept by a cache', async (s) => {
  const server = await s.start({ CORS_ORIGINS: 'https://app.example.com' });
  const admin = await server.signIn({ is_admin: true });
  const user = await server.signIn();
  const { body: document } = await server.ask('GET', '/openapi.json');
  let count = 0;
  for (const [path, methods] of Object.entries<Record<string, { security?: unknown[] }>>(document.paths)) {
    if (!path.startsWith('/auth/')) continue;
    const url = path.replace('{user_id}', String(user.id)).replace('{sid}', claimsOf(user.access_token).sid);
    for (const [name, { security }] of Object.entries(methods)) {
      const method = name === 'get' ? name : name.toUpperCase();
      // What is public is the same for everybody: the feed of revocations.
      if (method === 'get' && security === undefined) continue;
      for (const token of [user.access_token, admin.access_token, 'x', undefined]) {
        if (url.endsWith('/logout') && token !== 'x') continue;
        const answer = await fetch(server.url + url, {
          method,
          headers: {
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
            ...(method === 'get' ? {} : { 'content-type': 'application/json' }),
          },
          ...(method === 'get' ? {} : { body: '{}' }),
        });
        await answer.arrayBuffer();
        const what = `${method} ${url}: ${answer.status}`;
        assert.equal(answer.headers.get('cache-control'), 'no-store', what);
        assert.match(answer.headers.get('vary') ?? '', /origin/i, what);
        assert.equal(answer.headers.get('etag'), null, what);
        count++;
      }
    }
  }
  assert.ok(count > 60, String(count));
  // A path made to look like a file that caches keep.
  for (const path of [
    '/auth/me/x.css',
    '/auth/me.css',
    '/auth/me;x.css',
    '/auth/me%2fx.css',
    '/auth/me%00.css',
  ]) {
    const answer = await server.ask('GET', path, { token: user.access_token });
    assert.ok([400, 404].includes(answer.status), `${path}: ${answer.text}`);
    assert.equal(answer.headers['cache-control'], 'no-store', path);
  }
});

// CVE-2019-19844 (Django): an address that a change of case made equal to another's was taken for it.
onRealServers('an address that only becomes equal by a change of case is nobody else’s', async (s) => {
  const server = await s.start();
  await server.doorward.admin.create({ email: 'mike@example.com', password, name: 'Mike' });
  await server.doorward.admin.create({ email: 'kiss@example.com', password, name: 'Kiss' });
  for (const [lookalike, existing] of [
    ['m\u0131ke@example.com', 'mike@example.com'],
    ['m\u0130ke@example.com', 'mike@example.com'],
    ['ki\u017f\u017f@example.com', 'kiss@example.com'],
    ['ki\u00df@example.com', 'kiss@example.com'],
    ['\uff4dike@example.com', 'mike@example.com'],
  ] as const) {
    assertAnswer(await server.logIn(lookalike), 401, 'invalid_credentials', lookalike);
    const answer = await server.ask('POST', '/auth/signup', {
      json: { email: lookalike, password: newPassword, name: 'Other' },
    });
    assert.equal(answer.status, 201, `${lookalike}: ${answer.text}`);
    assertAnswer(await server.logIn(lookalike, password), 401, 'invalid_credentials', lookalike);
    assert.equal((await server.logIn(existing)).status, 200, existing);
    assertAnswer(await server.logIn(existing, newPassword), 401, 'invalid_credentials', existing);
  }
});

// CVE-2026-32104 (StudioCMS): an id in the request decided whose data was changed.
onRealServers('an id of somebody else opens nothing', async (s) => {
  const server = await s.start();
  const victim = await server.signIn();
  const user = await server.signIn();
  const { sid } = claimsOf(victim.access_token);
  const before = await storedAccounts(s.databaseUrl);
  const token = user.access_token;
  assertAnswer(await server.ask('DELETE', `/auth/me/sessions/${sid}`, { token }), 404, 'session_not_found');
  for (const [method, path] of [
    ['GET', `/auth/users/${victim.id}`],
    ['PATCH', `/auth/users/${victim.id}`],
    ['DELETE', `/auth/users/${victim.id}`],
    ['POST', `/auth/users/${victim.id}/deactivate`],
    ['GET', `/auth/users/${victim.id}/sessions`],
    ['DELETE', `/auth/users/${victim.id}/sessions`],
    ['GET', `/auth/users/${user.id}`],
    ['PATCH', `/auth/users/${user.id}`],
    ['GET', `/auth/users?id=${victim.id}`],
  ] as const) {
    const body = method === 'PATCH' ? { json: { is_admin: true } } : {};
    assertAnswer(
      await server.ask(method, path, { token, ...body }),
      403,
      'admin_required',
      `${method} ${path}`,
    );
  }
  for (const field of ['id', 'user_id', 'sub', 'email_key']) {
    const answer = await server.ask('PATCH', '/auth/me', {
      token,
      json: { name: 'New', [field]: victim.id },
    });
    assertAnswer(answer, 422, 'validation_error', field);
  }
  assert.equal(await storedAccounts(s.databaseUrl), before);
  assert.equal((await server.me(victim.access_token)).status, 200);
});

// better-auth#5183: an invitation was accepted for another address than the invited one.
onRealServers('an invitation is good for the invited address alone', async (s) => {
  const server = await s.start();
  const admin = await server.signIn({ is_admin: true });
  const invited = 'invited@example.com';
  const invite = await server.ask('POST', '/auth/invitations', {
    token: admin.access_token,
    json: { email: invited, is_admin: true },
  });
  assert.equal(invite.status, 201, invite.text);
  const { outbox } = server.doorward;
  await outbox.work();
  const [mail] = (await outbox.list({ to: invited, limit: 1 })).mails;
  const [, link = ''] = /#token=([\w-]+)/.exec((await outbox.read(mail?.id ?? 0)).text) ?? [];
  const before = await storedAccounts(s.databaseUrl);
  const thief = await server.signIn({ email: 'thief@example.com' });
  const accept = (more: object, token?: string) =>
    server.ask('POST', '/auth/invitations/accept', {
      json: { token: link, password: newPassword, name: 'Thief', ...more },
      ...(token === undefined ? {} : { token }),
    });
  for (const more of [
    { email: 'thief@example.com' },
    { email: 'other@example.com' },
    { user_id: thief.id },
    { email_key: 'other@example.com' },
    { invitation_id: 1 },
  ])
    assertAnswer(await accept(more), 422, 'validation_error', JSON.stringify(more));
  const { body: session } = await server.logIn('thief@example.com');
  assert.notEqual(await storedAccounts(s.databaseUrl), before, 'the thief has an account');

  // Whoever is signed in plays no part.
  const accepted = await accept({}, session.access_token);
  assert.deepEqual([accepted.status, accepted.body.email, accepted.body.is_admin], [201, invited, true]);
  assert.notEqual(accepted.body.id, thief.id);
  const { body: me } = await server.me(session.access_token);
  assert.deepEqual([me.email, me.is_admin], ['thief@example.com', false]);
  assertAnswer(await accept({}), 400, 'invalid_link');
});
