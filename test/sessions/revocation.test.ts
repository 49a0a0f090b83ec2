import assert from 'node:assert/strict';
import {
  assertDead,
  assertFailure,
  assertRefused,
  claimsOf,
  type Instance,
  onInstances,
  type Tokens,
} from '../support/instances.ts';
import { checkEveryAnswer } from '../support/openapi-conformance.ts';

checkEveryAnswer();

type Account = Awaited<ReturnType<Instance['signIn']>>;

interface Case {
  what: string;
  reason: string | undefined;
  /** Ends the session of `user`, and perhaps others. */
  end(a: Instance, user: Account, admin: Account, other: Tokens): Promise<{ status: number; text: string }>;
  /** Another session of the user goes on. */
  sparesOther: boolean;
}

const cases: Case[] = [
  {
    what: 'log-out',
    reason: 'logged_out',
    end: (a, { access_token }) => a.request('POST', '/auth/logout', { token: access_token }),
    sparesOther: true,
  },
  {
    what: 'log-out everywhere, from another session',
    reason: 'revoked',
    end: (a, _user, _admin, other) => a.request('DELETE', '/auth/me/sessions', { token: other.access_token }),
    sparesOther: true,
  },
  {
    what: 'one session from the list',
    reason: 'revoked',
    end: (a, user, _admin, other) =>
      a.request('DELETE', `/auth/me/sessions/${claimsOf(user.access_token).sid}`, {
        token: other.access_token,
      }),
    sparesOther: true,
  },
  {
    what: 'a password change in another session',
    reason: 'password_changed',
    end: (a, { password }, _admin, other) =>
      a.request('POST', '/auth/me/password', {
        json: { current_password: password, new_password: 'Another-Pass-77!' },
        token: other.access_token,
      }),
    sparesOther: true,
  },
  {
    what: 'revocation by an admin',
    reason: 'revoked_by_admin',
    end: (a, user, admin) =>
      a.request('DELETE', `/auth/users/${user.id}/sessions`, { token: admin.access_token }),
    sparesOther: false,
  },
  {
    what: 'deletion by an admin',
    reason: undefined,
    end: (a, user, admin) => a.request('DELETE', `/auth/users/${user.id}`, { token: admin.access_token }),
    sparesOther: false,
  },
  {
    what: 'closing the account',
    reason: undefined,
    async end({ app }, { password }, _admin, other) {
      const answer = await app.inject({
        method: 'DELETE',
        url: '/auth/me',
        headers: { authorization: `Bearer ${other.access_token}` },
        payload: { current_password: password },
      });
      return { status: answer.statusCode, text: answer.payload };
    },
    sparesOther: false,
  },
];

onInstances(
  'whatever ends a session holds from the next request on, everywhere and after a restart',
  async (s) => {
    const a = await s.open();
    const b = await s.open();
    const admin = await a.signIn({ is_admin: true });
    const bystander = await a.signIn();
    const ended: Tokens[] = [];
    for (const { what, reason, end, sparesOther } of cases) {
      const user = await a.signIn();
      const other = await a.logIn(user.email);
      // Both instances have verified the tokens and remember them.
      for (const instance of [a, b]) {
        for (const { access_token } of [user, other]) {
          assert.equal((await instance.me(access_token)).status, 200, what);
        }
      }
      const answer = await end(a, user, admin, other);
      assert.ok([200, 204].includes(answer.status), `${what}: ${answer.text}`);
      const dead = sparesOther ? [user] : [user, other];
      for (const { access_token, refresh_token } of dead) {
        for (const instance of [a, b]) {
          assertDead(await instance.me(access_token));
          assertRefused(await instance.refresh(refresh_token));
        }
      }
      if (sparesOther) {
        assert.equal((await b.me(other.access_token)).status, 200, what);
        assert.equal((await b.refresh(other.refresh_token)).status, 200, what);
      }
      assert.equal((await a.session(user.access_token))?.end_reason, reason, what);
      assert.equal((await b.me(bystander.access_token)).status, 200, what);
      ended.push(...dead);
    }
    const restarted = await s.open();
    for (const { access_token, refresh_token } of ended) {
      assertDead(await restarted.me(access_token));
      assertRefused(await restarted.refresh(refresh_token));
    }
    assert.equal((await restarted.me(bystander.access_token)).status, 200);
  },
);

onInstances('deactivation says so while it lasts; afterwards the tokens are dead', async (s) => {
  const a = await s.open();
  const b = await s.open();
  const admin = await a.signIn({ is_admin: true });
  const user = await a.signIn();
  await b.me(user.access_token);
  const path = `/auth/users/${user.id}`;
  assert.equal((await a.request('POST', `${path}/deactivate`, { token: admin.access_token })).status, 200);
  for (const instance of [a, b, await s.open()]) {
    assertFailure(await instance.me(user.access_token), 403, 'Inactive user', 'inactive_user');
    assertRefused(await instance.refresh(user.refresh_token));
  }
  assert.equal((await a.request('POST', `${path}/activate`, { token: admin.access_token })).status, 200);
  for (const instance of [a, b]) {
    assertDead(await instance.me(user.access_token));
    assertRefused(await instance.refresh(user.refresh_token));
  }
});

onInstances('a session that was revoked stays dead when its user is deactivated', async (s) => {
  const a = await s.open();
  const admin = await a.signIn({ is_admin: true });
  const user = await a.signIn();
  await a.request('POST', '/auth/logout', { token: user.access_token });
  await a.request('POST', `/auth/users/${user.id}/deactivate`, { token: admin.access_token });
  assertDead(await a.me(user.access_token));
});

onInstances('a log-out needs a token and ends one session once', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  const path = '/auth/logout';
  assertFailure(await a.request('POST', path), 401, 'Not authenticated', 'not_authenticated');
  assertDead(await a.request('POST', path, { token: user.refresh_token }));
  const answer = await a.request('POST', path, { token: user.access_token });
  assert.deepEqual([answer.status, answer.text, answer.headers['set-cookie']], [204, '', undefined]);
  assertDead(await a.request('POST', path, { token: user.access_token }));
});

onInstances('a refresh and a log-out that race leave no live session', async (s) => {
  const a = await s.open();
  const b = await s.open();
  for (let round = 0; round < 5; round++) {
    const user = await a.signIn();
    s.advance(10);
    const [, tokens] = await Promise.all([
      a.request('POST', '/auth/logout', { token: user.access_token }),
      b.refresh(user.refresh_token),
    ]);
    if (tokens.status === 200) {
      assertDead(await a.me(tokens.body.access_token));
      assertRefused(await a.refresh(tokens.body.refresh_token));
    } else assertRefused(tokens);
  }
});

onInstances('the list of sessions shows the own live ones, in words', async (s) => {
  const a = await s.open({ REFRESH_TOKEN_EXPIRE_DAYS: 2, TRUSTED_PROXIES: '127.0.0.1' });
  const { email, password, id } = await a.signIn();
  const stranger = await a.signIn();
  const admin = await a.signIn({ is_admin: true });
  await a.request('DELETE', `/auth/users/${id}/sessions`, { token: admin.access_token });
  const logIn = async (userAgent: string | undefined, network: string): Promise<Tokens> => {
    const answer = await a.request('POST', '/auth/login', {
      form: { username: email, password },
      headers: {
        'x-forwarded-for': network,
        ...(userAgent === undefined ? {} : { 'user-agent': userAgent }),
      },
    });
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  };
  const list = async (token: string) => {
    const answer = await a.request('GET', '/auth/me/sessions', { token });
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  };

  const firefox = await logIn(
    'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    '203.0.113.1',
  );
  s.advance(60);
  const phone = await logIn(
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
    '2001:db8::7',
  );
  s.advance(60);
  const opened = new Date(a.clock.now().getTime() - 120_000).toISOString();
  const sessions = await list(firefox.access_token);
  assert.deepEqual(sessions[0], {
    id: claimsOf(firefox.access_token).sid,
    device: 'Firefox on Linux',
    network: '203.0.113.1',
    created_at: opened,
    last_seen_at: a.clock.now().toISOString(),
    expires_at: new Date(Date.parse(opened) + 2 * 86_400_000).toISOString(),
    current: true,
  });
  const seen = sessions.map((session: { id: string; device: string; current: boolean }) => session.current);
  assert.deepEqual(seen, [true, false]);
  assert.deepEqual([sessions[1].device, sessions[1].network], ['Safari on iOS', '2001:db8::7']);
  assert.deepEqual(
    (await list(phone.access_token)).map((session: { current: boolean }) => session.current).sort(),
    [false, true],
  );

  // Others' sessions are neither seen nor ended, and an unknown one is told apart from them by nothing.
  const { sid } = claimsOf(firefox.access_token);
  assert.ok(!JSON.stringify(await list(stranger.access_token)).includes(sid));
  for (const id of [sid, 'AAAAAAAAAAAAAAAAAAAAAA', '0', '%27', "' or 1=1 --", '..']) {
    const path = `/auth/me/sessions/${encodeURIComponent(id)}`;
    const answer = await a.request('DELETE', path, { token: stranger.access_token });
    assertFailure(
      answer,
      404,
      id === '..' ? 'Not Found' : 'Session not found',
      id === '..' ? 'not_found' : 'session_not_found',
    );
  }
  assert.equal((await a.me(firefox.access_token)).status, 200);

  // Administrators see the same, of anybody who is there.
  const admins = await a.request('GET', `/auth/users/${id}/sessions`, { token: admin.access_token });
  assert.deepEqual(
    admins.body.map((session: { id: string; current: boolean }) => [session.id, session.current]),
    (await list(firefox.access_token)).map((session: { id: string }) => [session.id, false]),
  );
  for (const method of ['GET', 'DELETE'] as const) {
    const nobody = await a.request(method, '/auth/users/999999/sessions', { token: admin.access_token });
    assertFailure(nobody, 404, 'User not found', 'user_not_found');
    const denied = await a.request(method, `/auth/users/${id}/sessions`, { token: firefox.access_token });
    assertFailure(denied, 403, 'Admin privileges required', 'admin_required');
  }

  // What has ended, or was not refreshed in time, is not listed.
  await a.request('DELETE', `/auth/me/sessions/${claimsOf(phone.access_token).sid}`, {
    token: firefox.access_token,
  });
  assert.equal((await list(firefox.access_token)).length, 1);
  const again = `/auth/me/sessions/${claimsOf(phone.access_token).sid}`;
  const answer = await a.request('DELETE', again, { token: firefox.access_token });
  assertFailure(answer, 404, 'Session not found', 'session_not_found');
  s.advance(86_400);
  const later = await logIn(undefined, '203.0.113.2');
  s.advance(86_400);
  const fresh = await a.refreshed(later.refresh_token);
  const left = await list(fresh.access_token);
  assert.deepEqual(
    left.map((session: { id: string }) => session.id),
    [claimsOf(later.access_token).sid],
  );
});

/** Short, and nothing that a page could take for markup. */
const plain = /^[\w .-]{1,80}$/;

const deviceCases: [userAgent: string, device: string | RegExp][] = [
  [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36',
    'Chrome on Windows',
  ],
  [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0',
    'Microsoft Edge on Windows',
  ],
  [
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
    'Safari on macOS',
  ],
  [
    'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36',
    'Chrome on Android',
  ],
  ['curl/8.5.0', 'curl'],
  ['python-requests/2.32.3', /python-requests/i],
  ['node', 'node'],
  ['', 'Unknown device'],
  ['   ', 'Unknown device'],
  ['{}', plain],
  ['<script>alert(1)</script>', plain],
  ['<img src=x onerror=alert(1)>/1.0 x', plain],
  ['<img src=x>/1.0 x', plain],
  ['x<y/1.0 (z)', plain],
  ['__proto__/1.0', plain],
  ['A'.repeat(10_240), plain],
  [`Mozilla/5.0 (${'x'.repeat(10_240)}`, plain],
  [`${'B'.repeat(200)}/1.0 (x)`, plain],
];

onInstances('any user agent logs in and is told in a few plain words', async (s) => {
  const a = await s.open();
  const { email, password, access_token } = await a.signIn();
  for (const [userAgent, expected] of deviceCases) {
    const answer = await a.request('POST', '/auth/login', {
      form: { username: email, password },
      headers: { 'user-agent': userAgent },
    });
    assert.equal(answer.status, 200, userAgent.slice(0, 80));
    const { sid } = claimsOf(answer.body.access_token);
    const { body } = await a.request('GET', '/auth/me/sessions', { token: access_token });
    const { device } = body.find((session: { id: string }) => session.id === sid);
    if (typeof expected === 'string') assert.equal(device, expected);
    else assert.match(device, expected, userAgent.slice(0, 80));
    await a.request('DELETE', `/auth/me/sessions/${sid}`, { token: access_token });
  }
});

onInstances('sessions past their absolute end are removed, and no others', async (s) => {
  const a = await s.open({ SESSION_EXPIRE_DAYS: 1 });
  const old = await a.signIn();
  s.advance(86_400 - 60);
  const young = await a.signIn();
  await a.doorward.sessions.deleteExpired();
  assert.notEqual(await a.session(old.access_token), undefined);
  s.advance(61);
  await a.doorward.sessions.deleteExpired();
  assert.equal(await a.session(old.access_token), undefined);
  assert.equal((await a.me(young.access_token)).status, 200);
  assertRefused(await a.refresh(old.refresh_token));
});
