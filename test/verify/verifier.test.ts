import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { base64url, exportSPKI, importJWK } from 'jose';
import {
  createVerifier,
  VerificationError,
  type VerificationFailure,
  type Verifier,
  type VerifierOptions,
} from '../../src/verify/index.ts';
import { eventually, FeedServer, makeKey } from './feed-server.ts';

async function open(
  t: TestContext,
  options: Partial<VerifierOptions> = {},
  prepare?: (s: FeedServer) => void,
) {
  const server = await FeedServer.start();
  prepare?.(server);
  const verifier = createVerifier({ url: server.url, ...options });
  t.after(() => {
    verifier.close();
    server.stop();
  });
  return { server, verifier };
}

/** What becomes of a token: `accepted`, or the code of the failure. */
async function outcome(verifier: Verifier, token: string): Promise<'accepted' | VerificationFailure> {
  try {
    await verifier.verify(token);
    return 'accepted';
  } catch (error) {
    assert.ok(error instanceof VerificationError, String(error));
    return error.code;
  }
}

const becomes = (verifier: Verifier, token: string, wanted: string) =>
  eventually(`the token is ${wanted}`, async () => (await outcome(verifier, token)) === wanted);

const encode = (value: unknown) => base64url.encode(JSON.stringify(value));

test('tokens that are not access tokens of the issuer are refused, each for its reason', async (t) => {
  const { server, verifier } = await open(t);
  const good = await server.token();
  const claims = await verifier.verify(good);
  assert.deepEqual([claims.sub, claims.sid, claims.gen, claims.type], ['1', 'session-1', 0, 'access']);
  const [header = '', payload = '', signature = ''] = good.split('.');
  const now = Math.floor(Date.now() / 1000);
  const stranger = await makeKey();
  const publicKey = (await importJWK(server.key.jwk, 'ES256')) as CryptoKey;
  const publicPem = new TextEncoder().encode(await exportSPKI(publicKey));
  const bad: Record<string, string> = {
    'no text': '',
    'no token': 'abc',
    'three empty parts': '..',
    'white space within': `${header}.${payload}. ${signature}`,
    'too long': `${good}${'A'.repeat(5000)}`,
    'another signature': `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
    'another payload': `${header}.${encode({ ...claims, sub: '2' })}.${signature}`,
    expired: await server.token({ exp: now - 1 }),
    'not valid yet': await server.token({ nbf: now + 600 }),
    'another issuer': await server.token({ iss: 'https://elsewhere.example' }),
    'another audience': await server.token({ aud: 'https://elsewhere.example' }),
    'no audience': await server.token({ aud: undefined }),
    'another typ': await server.token({}, { typ: 'JWT' }),
    'no typ': await server.token({}, { typ: undefined }),
    'a refresh token': await server.token({ type: 'refresh' }),
    'no type': await server.token({ type: undefined }),
    'no session': await server.token({ sid: undefined }),
    'no expiry': await server.token({ exp: undefined }),
    'alg none': `${encode({ alg: 'none', typ: 'at+jwt', kid: server.key.kid })}.${payload}.`,
    'alg none with a signature': `${encode({ alg: 'none', typ: 'at+jwt', kid: server.key.kid })}.${payload}.${signature}`,
    'HS256 with the public key': await server.token({}, { alg: 'HS256' }, publicPem),
    'no kid': await server.token({}, { kid: undefined }),
    'unknown kid': await server.token({}, { kid: 'unknown' }, stranger.privateKey),
    "another's key under our kid": await server.token({}, {}, stranger.privateKey),
    'a key in the header': await server.token({}, { jwk: stranger.jwk, kid: undefined }, stranger.privateKey),
    'a key in the header, kid and all': await server.token(
      {},
      { jwk: stranger.jwk, kid: stranger.kid },
      stranger.privateKey,
    ),
    'an address of keys in the header': await server.token(
      {},
      { jku: `${server.url}/their-keys` },
      stranger.privateKey,
    ),
    'an extension that is critical': await server
      .token({}, { crit: ['x'], x: 1 } as never)
      .catch(
        () =>
          `${encode({ alg: 'ES256', typ: 'at+jwt', kid: server.key.kid, crit: ['x'], x: 1 })}.${payload}.${signature}`,
      ),
    'a message of the feed': await server.message(),
  };
  for (const [what, token] of Object.entries(bad)) {
    assert.equal(await outcome(verifier, token), 'invalid_token', what);
  }
  assert.equal(await outcome(verifier, good), 'accepted');
});

test('a token is refused once it has expired, though it is remembered', async (t) => {
  const { server, verifier } = await open(t);
  const token = await server.token({ exp: Math.floor(Date.now() / 1000) + 2 });
  assert.equal(await outcome(verifier, token), 'accepted');
  await becomes(verifier, token, 'invalid_token');
});

test('issuer and audience can be others than the address, and the address may end with a slash', async (t) => {
  const server = await FeedServer.start();
  const [issuer, audience] = ['https://accounts.example', 'notes'];
  server.answer = () => server.message({ iss: issuer });
  const verifier = createVerifier({ url: `${server.url}/`, issuer, audience });
  t.after(() => {
    verifier.close();
    server.stop();
  });
  assert.equal(
    await outcome(verifier, await server.token({ iss: issuer, aud: [audience, 'x'] })),
    'accepted',
  );
  assert.equal(await outcome(verifier, await server.token()), 'invalid_token');
});

test('1,000 first verifications share one question for the keys', async (t) => {
  const { server, verifier } = await open(t);
  const tokens = await Promise.all(Array.from({ length: 1000 }, (_, n) => server.token({ jti: String(n) })));
  const outcomes = await Promise.all(tokens.map((token) => outcome(verifier, token)));
  assert.deepEqual(new Set(outcomes), new Set(['accepted']));
  assert.deepEqual([server.asked.keys, server.asked.streams], [1, 1]);
});

test('tokens of made-up keys cost one question a second for the keys, however many there are', async (t) => {
  const { server, verifier } = await open(t);
  await verifier.ready();
  const tokens = await Promise.all(Array.from({ length: 200 }, (_, n) => server.token({}, { kid: `k${n}` })));
  const outcomes = await Promise.all(tokens.map((token) => outcome(verifier, token)));
  assert.deepEqual(new Set(outcomes), new Set(['invalid_token']));
  assert.equal(server.asked.keys, 2);
});

test('a revoked session is refused, whether its token was verified before or not', async (t) => {
  const { server, verifier } = await open(t);
  const [seen, unseen] = [await server.token(), await server.token({ jti: 'y' })];
  const other = await server.token({ sid: 'session-2' });
  assert.equal(await outcome(verifier, seen), 'accepted');
  await server.revoke('session-1');
  await becomes(verifier, seen, 'revoked_token');
  assert.equal(await outcome(verifier, unseen), 'revoked_token');
  assert.equal(await outcome(verifier, other), 'accepted');
});

const spellings: Record<string, (text: string) => string[]> = {
  'byte by byte': (text) => [...text],
  'with CRLF': (text) => [text.replaceAll('\n', '\r\n')],
  'with CR and LF in pieces of their own': (text) => [...text.replaceAll('\n', '\r\n')],
  'with CR': (text) => [text.replaceAll('\n', '\r'), ': a comment\r'],
  'without a space, between comments': (text) => [`: hello\n\n${text.replace('data: ', 'data:')}: bye\n\n`],
  'two events in a piece, the second cut': (text) => [text + text.slice(0, 30), text.slice(30)],
};
for (const [how, pieces] of Object.entries(spellings)) {
  test(`a stream that comes ${how} is understood`, async (t) => {
    const { server, verifier } = await open(t, {}, (server) => {
      server.pieces = pieces;
    });
    const token = await server.token();
    assert.equal(await outcome(verifier, token), 'accepted');
    await server.revoke('session-1');
    await becomes(verifier, token, 'revoked_token');
    assert.equal(server.asked.streams, 1);
  });
}

test('an event with 50,000 revocations is taken, in small pieces', async (t) => {
  const { server, verifier } = await open(t, {}, (server) => {
    for (let n = 0; n < 50_000; n++) server.revoked.push({ sid: `ended-${n}`, exp: Date.now() });
    server.pieces = (text) => text.match(/[\s\S]{1,1000}/g) ?? [];
  });
  assert.equal(await outcome(verifier, await server.token({ sid: 'ended-49999' })), 'revoked_token');
  assert.equal(await outcome(verifier, await server.token()), 'accepted');
});

for (const feed of ['poll', 'swallow'] as const) {
  test(`revocations are asked for where streams do not come through (${feed})`, async (t) => {
    const { server, verifier } = await open(t, {}, (server) => {
      server.feed = feed;
    });
    const token = await server.token();
    assert.equal(await outcome(verifier, token), 'accepted');
    await server.revoke('session-1');
    await becomes(verifier, token, 'revoked_token');
    await eventually('the cursor is used', () => server.asked.cursors.includes(1));
    assert.ok(server.asked.polls > 0);
    assert.equal(server.asked.streams, 1);
  });
}

/** Makes the first message long, and slow to come: 2,000 revocations in so many pieces, 100 ms apart. */
const slowly = (pieces: number) => (server: FeedServer) => {
  const exp = Math.floor(Date.now() / 1000) + 900;
  for (let n = 0; n < 2000; n++) server.revoked.push({ sid: `ended-${n}`, exp });
  server.pieceMs = 100;
  server.pieces = (text) =>
    text.length < 10_000
      ? [text]
      : Array.from({ length: pieces }, (_, n) =>
          text.slice((n * text.length) / pieces, ((n + 1) * text.length) / pieces),
        );
};

for (const feed of ['stream', 'poll'] as const) {
  test(`a first message that comes slowly is heard (${feed})`, async (t) => {
    const { server, verifier } = await open(t, { staleSeconds: 2 }, (server) => {
      server.feed = feed;
      slowly(15)(server);
    });
    await becomes(verifier, await server.token(), 'accepted');
    assert.equal(await outcome(verifier, await server.token({ sid: 'ended-1999' })), 'revoked_token');
  });

  test(`a message that took longer than staleSeconds counts, and is no news (${feed})`, async (t) => {
    const { server, verifier } = await open(t, { staleSeconds: 1 }, (server) => {
      server.feed = feed;
      slowly(20)(server);
    });
    const ready = assert.rejects(verifier.ready(), VerificationError);
    await eventually('it is asked', () => server.asked.cursors.length === 1);
    server.feed = 'down';
    await ready;
    server.feed = feed;
    await becomes(verifier, await server.token(), 'accepted');
    assert.equal(await outcome(verifier, await server.token({ sid: 'ended-1999' })), 'revoked_token');
    assert.deepEqual(server.asked.cursors.slice(0, 2), [0, 2000]);
  });
}

test('a server that is slow to make its first message is given time', async (t) => {
  const { server, verifier } = await open(t, {}, (server) => {
    server.workMs = 3500;
  });
  await becomes(verifier, await server.token(), 'accepted');
});

test('a message that comes octet by octet is not waited for for ever', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { server } = await open(t, {}, (server) => {
    server.feed = 'drip';
  });
  const wait = async (isOver: () => boolean) => {
    while (!isOver()) await new Promise(setImmediate);
  };
  await wait(() => server.openStreams === 1);
  for (let seconds = 0; server.openStreams > 0; seconds++) {
    assert.ok(seconds <= 121, 'it waits for more than two minutes');
    server.drip();
    for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
    t.mock.timers.tick(1000);
    for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
  }
});

test('with the feed out of reach it goes on, then refuses everything, and comes back with its cursor', async (t) => {
  const { server, verifier } = await open(t, { staleSeconds: 1.5 });
  const [one, two] = [await server.token(), await server.token({ sid: 'session-2' })];
  assert.equal(await outcome(verifier, one), 'accepted');
  assert.equal(await outcome(verifier, two), 'accepted');
  await server.revoke('session-0');
  const nought = await server.token({ sid: 'session-0' });
  await becomes(verifier, nought, 'revoked_token');
  server.feed = 'down';
  server.cut();
  assert.equal(await outcome(verifier, one), 'accepted');
  server.asked.cursors.length = 0;
  await server.revoke('session-1');
  await becomes(verifier, two, 'verifier_unavailable');
  for (const token of [one, nought, 'abc', await server.token({ jti: 'new' })]) {
    assert.equal(await outcome(verifier, token), 'verifier_unavailable');
  }
  server.feed = 'stream';
  await becomes(verifier, two, 'accepted');
  assert.equal(await outcome(verifier, one), 'revoked_token');
  assert.equal(server.asked.cursors[0], 1);
});

test('a feed that keeps silent is asked anew before what it said is stale', async (t) => {
  const { server, verifier } = await open(t, { staleSeconds: 2 });
  const token = await server.token();
  assert.equal(await outcome(verifier, token), 'accepted');
  for (const begin = server.asked.streams; server.asked.streams < begin + 4; ) {
    assert.equal(await outcome(verifier, token), 'accepted');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

test('lies of the feed are not believed', async (t) => {
  const { server, verifier } = await open(t, { staleSeconds: 4 });
  const stranger = await makeKey();
  const token = await server.token();
  assert.equal(await outcome(verifier, token), 'accepted');
  const revoked = [{ sid: 'session-1', exp: 1e10 }];
  const lies: Record<string, () => Promise<string>> = {
    'another key': () => server.message({ revoked }, { key: { ...stranger, kid: server.key.kid } }),
    'an unknown key': () => server.message({ revoked }, { key: stranger }),
    'another issuer': () => server.message({ iss: 'https://elsewhere.example', revoked }),
    'another typ': () => server.message({ revoked }, { typ: 'at+jwt' }),
    'no signature': async () => `${encode({ alg: 'none' })}.${encode({ iss: server.url, revoked })}.`,
    'an access token': () => server.token(),
    'no JWS': async () => 'hello',
  };
  for (const [what, lie] of Object.entries(lies)) {
    const { streams } = server.asked;
    await eventually('a stream is open', () => server.openStreams === 1);
    server.send(await lie());
    // It hangs up on whoever lies, and asks anew.
    await eventually(`${what} is noticed`, () => server.asked.streams > streams);
    assert.equal(await outcome(verifier, token), 'accepted', what);
  }
  server.answer = () => server.message({}, { key: stranger });
  server.cut();
  await becomes(verifier, token, 'verifier_unavailable');
  server.answer = undefined;
  await becomes(verifier, token, 'accepted');
});

test('a message that is shown again does not keep a verifier content', async (t) => {
  const { server, verifier } = await open(t, { staleSeconds: 2 });
  const token = await server.token();
  assert.equal(await outcome(verifier, token), 'accepted');
  const old = await server.message();
  // Somebody in between shows it for ever, and withholds what came after.
  server.answer = async () => old;
  server.cut();
  await server.revoke('session-1');
  const repeating = setInterval(() => server.send(old), 50);
  t.after(() => clearInterval(repeating));
  await becomes(verifier, token, 'verifier_unavailable');
  clearInterval(repeating);
  server.answer = undefined;
  server.cut();
  await becomes(verifier, token, 'revoked_token');
});

test('a gap in the feed is filled before anything after it counts', async (t) => {
  const { server, verifier } = await open(t);
  const [one, two] = [await server.token(), await server.token({ sid: 'session-2' })];
  assert.equal(await outcome(verifier, one), 'accepted');
  const exp = Math.floor(Date.now() / 1000) + 900;
  server.revoked.push({ sid: 'session-1', exp });
  await server.revoke('session-2');
  await becomes(verifier, two, 'revoked_token');
  await becomes(verifier, one, 'revoked_token');
  assert.deepEqual(server.asked.cursors, [0, 0]);
});

test('a server that was set back begins anew, and what is known stays', async (t) => {
  const { server, verifier } = await open(t);
  await server.revoke('session-1');
  for (const sid of ['a', 'b', 'c']) await server.revoke(sid);
  const [one, two] = [await server.token(), await server.token({ sid: 'session-2' })];
  await becomes(verifier, one, 'revoked_token');
  server.revoked.splice(0, 4, { sid: 'session-3', exp: Date.now() });
  server.cut();
  await becomes(verifier, await server.token({ sid: 'session-3' }), 'revoked_token');
  await server.revoke('session-2');
  await becomes(verifier, two, 'revoked_token');
  assert.equal(await outcome(verifier, one), 'revoked_token');
});

test('tokens of a new key wait for it; those of a withdrawn one die when the feed says so', async (t) => {
  const { server, verifier } = await open(t);
  const old = await server.token();
  assert.equal(await outcome(verifier, old), 'accepted');
  const next = await makeKey();
  server.published = [server.key, next];
  const fresh = await server.token({}, { kid: next.kid }, next.privateKey);
  assert.equal(await outcome(verifier, fresh), 'accepted');
  assert.equal(await outcome(verifier, old), 'accepted');
  server.published = [next];
  server.send(await server.message({ kids: [next.kid] }, { key: next }));
  await becomes(verifier, old, 'invalid_token');
  assert.equal(await outcome(verifier, fresh), 'accepted');
});

test('keys out of reach at the start are asked for until they come', async (t) => {
  const { server, verifier } = await open(t, {}, (server) => {
    server.keysAreDown = true;
  });
  const token = await server.token();
  const first = outcome(verifier, token);
  assert.equal(await first, 'verifier_unavailable');
  await assert.rejects(verifier.ready(), VerificationError);
  server.keysAreDown = false;
  await verifier.ready();
  assert.equal(await outcome(verifier, token), 'accepted');
});

test('keys out of reach later: what is known counts, what is not cannot be judged', async (t) => {
  const { server, verifier } = await open(t);
  await verifier.ready();
  server.keysAreDown = true;
  assert.equal(await outcome(verifier, await server.token()), 'accepted');
  assert.equal(await outcome(verifier, await server.token({}, { kid: 'new' })), 'verifier_unavailable');
});

test('10,000 tokens are remembered at most, and revocations until their tokens have expired', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { server, verifier } = await open(t);
  await verifier.ready();
  const first = await server.token({ jti: 'first' });
  assert.equal(await outcome(verifier, first), 'accepted');
  const verifyImpl = t.mock.method(crypto.subtle, 'verify');
  const count = () => verifyImpl.mock.callCount();
  assert.equal(await outcome(verifier, first), 'accepted');
  assert.equal(count(), 0);
  const fill = (from: number, to: number) =>
    Promise.all(
      Array.from({ length: to - from }, async (_, n) =>
        verifier.verify(await server.token({ jti: `n${from + n}` })),
      ),
    );
  for (let from = 0; from < 10_000; from += 1000) await fill(from, from + 1000);
  const before = count();
  assert.equal(await outcome(verifier, first), 'accepted');
  assert.equal(count(), before + 1, 'the oldest was forgotten');

  const token = await server.token({ sid: 'long-gone' });
  await server.revoke('long-gone', Math.floor(Date.now() / 1000) - 120);
  await becomes(verifier, token, 'revoked_token');
  t.mock.timers.tick(60_000);
  assert.equal(await outcome(verifier, token), 'accepted', 'such a token has expired long ago in truth');
});

test('closing ends connection and timers, and nothing is verified any more', async (t) => {
  const { server, verifier } = await open(t);
  const token = await server.token();
  assert.equal(await outcome(verifier, token), 'accepted');
  verifier.close();
  verifier.close();
  assert.equal(await outcome(verifier, token), 'verifier_unavailable');
  await eventually('the stream is closed', () => server.openStreams === 0);
});

for (const feed of ['stream', 'poll', 'swallow', 'down'] as const) {
  test(`a process ends by itself once its verifier is closed (feed: ${feed})`, async (t) => {
    const server = await FeedServer.start();
    t.after(() => server.stop());
    server.feed = feed;
    const index = JSON.stringify(join(import.meta.dirname, '../../src/verify/index.ts'));
    const program = `
      const { createVerifier } = await import(${index});
      const verifier = createVerifier({ url: '${server.url}' });
      setTimeout(() => verifier.close(), 300);
      await verifier.verify('a.b.c').catch(() => {});
      console.log('done');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
  });
}

test('staleSeconds must make sense', () => {
  for (const staleSeconds of [0, -1, Number.NaN]) {
    assert.throws(() => createVerifier({ url: 'http://127.0.0.1:9', staleSeconds }), RangeError);
  }
});

test('nothing of Node is needed', () => {
  const folder = join(import.meta.dirname, '../../src/verify');
  const files = globSync('*.ts', { cwd: folder });
  assert.ok(files.length >= 5);
  for (const file of files) {
    const source = readFileSync(join(folder, file), 'utf8');
    const imports = [...source.matchAll(/^(?:import|export)\s(?!type\b)[^;]*? from '([^']+)'/gm)];
    for (const [, from = ''] of imports) assert.match(from, /^(?:jose|\.\/[\w-]+\.ts)$/, file);
    assert.doesNotMatch(source, /\b(?:process|Buffer|require|setImmediate|withResolvers)\b/, file);
  }
});
