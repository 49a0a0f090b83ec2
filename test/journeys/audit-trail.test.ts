import assert from 'node:assert/strict';
import type { AuditKind } from '../../src/audit-kinds.ts';
import { withOrigin } from '../../src/origin.ts';
import { type Journey, journey, password } from '../support/journey.ts';

interface Event {
  id: string;
  time: string;
  kind: AuditKind;
  result: string;
  actor: number | null;
  user_id: number | null;
  network: string | null;
  request_id: string | null;
  detail: Record<string, unknown>;
}

const newPassword = 'Zq7!fresh-horse';

/** An instance with an administrator, and a way to see what an act adds to the audit log, the oldest first. */
async function watch(instance: Journey) {
  const admin = await instance.signIn({ is_admin: true });
  const all = async (): Promise<Event[]> => {
    const { events } = await instance.doorward.audit.list({ limit: 200 });
    return events.toReversed();
  };
  const during = async (
    act: () => Promise<{ status: number; headers: Record<string, string> } | undefined>,
  ) => {
    const before = new Set((await all()).map(({ id }) => id));
    const answer = await act();
    const events = (await all()).filter(({ id }) => !before.has(id));
    // Of somebody who erased themselves nothing is told but that.
    const isErased = events.some(({ kind, actor, user_id }) => kind === 'user.deleted' && actor === user_id);
    for (const event of events) {
      if (answer !== undefined) assert.equal(event.request_id, answer.headers['x-request-id']);
      assert.equal(event.network, answer === undefined || isErased ? null : '127.0.0.1');
    }
    return events.map(({ kind, result, actor, user_id, detail }) => ({
      kind,
      result,
      actor,
      user_id,
      detail,
    }));
  };
  return { admin, during, all };
}

const event = (
  kind: AuditKind,
  user_id: number | null,
  actor: number | null,
  detail: Record<string, unknown> = {},
  result = 'success',
) => ({ kind, result, actor, user_id, detail });

journey('what a user does to their own account is in the audit log', async (open) => {
  const instance = await open();
  const { during } = await watch(instance);
  let user = 0;
  const signedUp = await during(async () => {
    const answer = await instance.request('POST', '/auth/signup', {
      json: { email: 'ann@example.com', password, name: 'Ann' },
    });
    user = answer.body.id;
    return answer;
  });
  assert.deepEqual(signedUp, [event('user.signed_up', user, user)]);

  let token = '';
  let refresh_token = '';
  const loggedIn = await during(async () => {
    const answer = await instance.logIn('ann@example.com');
    ({ access_token: token, refresh_token } = answer.body);
    return answer;
  });
  assert.deepEqual(
    loggedIn.map(({ kind, actor, user_id }) => ({ kind, actor, user_id })),
    [{ kind: 'login.succeeded', actor: user, user_id: user }],
  );

  const changed = await during(() =>
    instance.request('PUT', '/auth/me', { token, json: { name: 'Ann B', email: 'ann.b@example.com' } }),
  );
  assert.deepEqual(changed, [event('user.updated', user, user, { fields: ['email', 'name'] })]);
  assert.deepEqual(
    await during(() => instance.request('PUT', '/auth/me', { token, json: { name: 'Ann B' } })),
    [],
    'what changes nothing is no change',
  );

  const refused = await during(() =>
    instance.request('POST', '/auth/me/password', {
      token,
      json: { current_password: 'Wrong-1-password', new_password: newPassword },
    }),
  );
  assert.deepEqual(refused, [event('password.refused', user, user, {}, 'failure')]);

  const { body: second } = await instance.logIn('ann.b@example.com');
  const passwordChanged = await during(() =>
    instance.request('POST', '/auth/me/password', {
      token,
      json: { current_password: password, new_password: newPassword },
    }),
  );
  assert.deepEqual(
    new Set(passwordChanged.map(({ kind, detail }) => JSON.stringify([kind, detail]))),
    new Set([
      JSON.stringify(['session.ended', { reason: 'password_changed', count: 1 }]),
      JSON.stringify(['password.changed', {}]),
    ]),
  );
  const dead = await during(() =>
    instance.request('POST', '/auth/refresh', { json: { refresh_token: second.refresh_token } }),
  );
  assert.deepEqual(
    dead.map(({ kind, result, user_id }) => ({ kind, result, user_id })),
    [{ kind: 'session.refused', result: 'failure', user_id: user }],
  );

  // Move on twice, so that the first token is spent.
  instance.clock.advance(60);
  const { body: next } = await instance.request('POST', '/auth/refresh', { json: { refresh_token } });
  await instance.request('GET', '/auth/me', { token: next.access_token });
  instance.clock.advance(60);
  const reused = await during(() => instance.request('POST', '/auth/refresh', { json: { refresh_token } }));
  assert.deepEqual(reused.map(({ kind }) => kind).sort(), ['session.ended', 'session.reused']);

  const { body: last } = await instance.logIn('ann.b@example.com', newPassword);
  const out = await during(() => instance.request('POST', '/auth/logout', { token: last.access_token }));
  assert.deepEqual(out, [event('session.ended', user, user, { reason: 'logged_out', count: 1 })]);

  const { body: closing } = await instance.logIn('ann.b@example.com', newPassword);
  const closed = await during(() =>
    instance.request('DELETE', '/auth/me', {
      token: closing.access_token,
      json: { current_password: newPassword },
    }),
  );
  assert.ok(closed.some((one) => one.kind === 'user.deleted' && one.user_id === user && one.actor === user));
});

journey(
  'what an administrator does is in the audit log, and the user sees it without the address',
  async (open) => {
    const instance = await open();
    const { admin, during } = await watch(instance);
    const token = admin.access_token;
    let user = 0;
    const created = await during(async () => {
      const answer = await instance.request('POST', '/auth/users', {
        token,
        json: { email: 'bob@example.com', password, name: 'Bob' },
      });
      user = answer.body.id;
      return answer;
    });
    assert.deepEqual(created, [event('user.created', user, admin.id)]);
    const patch = (json: object) => () => instance.request('PATCH', `/auth/users/${user}`, { token, json });
    assert.deepEqual(await during(patch({ is_admin: true })), [event('user.promoted', user, admin.id)]);
    assert.deepEqual(await during(patch({ is_admin: false, name: 'Rob' })), [
      event('user.updated', user, admin.id, { fields: ['name'] }),
      event('user.demoted', user, admin.id),
    ]);
    await instance.logIn('bob@example.com');
    const deactivated = await during(() =>
      instance.request('POST', `/auth/users/${user}/deactivate`, { token }),
    );
    assert.deepEqual(deactivated, [
      event('session.ended', user, admin.id, { reason: 'user_deactivated', count: 1 }),
      event('user.deactivated', user, admin.id),
    ]);
    assert.deepEqual(
      await during(() => instance.request('POST', `/auth/users/${user}/activate`, { token })),
      [event('user.activated', user, admin.id)],
    );
    const { body: bob } = await instance.logIn('bob@example.com');
    const { body: activity } = await instance.request('GET', '/auth/me/activity', {
      token: bob.access_token,
    });
    const seen = activity as Event[];
    assert.ok(seen.every((one) => one.user_id === user));
    assert.ok(seen.some((one) => one.kind === 'user.deactivated' && one.actor === admin.id));
    for (const one of seen) assert.equal(one.network, one.actor === admin.id ? null : '127.0.0.1', one.kind);
    const revoked = await during(() => instance.request('DELETE', `/auth/users/${user}/sessions`, { token }));
    assert.deepEqual(revoked, [
      event('session.ended', user, admin.id, { reason: 'revoked_by_admin', count: 1 }),
    ]);
    const deleted = await during(() => instance.request('DELETE', `/auth/users/${user}`, { token }));
    assert.deepEqual(deleted, [event('user.deleted', user, admin.id)]);
  },
);

journey('refused logins are in the audit log, and nothing that was typed is', async (open) => {
  const instance = await open();
  const { admin, during, all } = await watch(instance);
  const wrong = await during(() => instance.logIn(admin.email, 'Wrong-1-password'));
  assert.deepEqual(
    wrong.map(({ kind, result, actor, user_id }) => ({ kind, result, actor, user_id })),
    [{ kind: 'login.failed', result: 'failure', actor: null, user_id: admin.id }],
  );
  // People type passwords where the address belongs.
  const unknown = await during(() => instance.logIn('My-Secret-1-Password', 'x'));
  assert.deepEqual(
    unknown.map(({ kind, user_id }) => ({ kind, user_id })),
    [{ kind: 'login.failed', user_id: null }],
  );
  assert.doesNotMatch(JSON.stringify(await all()), /secret|wrong-1/i);
});

journey('what the command line and the program itself do is in the audit log', async (open) => {
  const instance = await open();
  const { during, all } = await watch(instance);
  const { doorward } = instance;
  const byCommand = { via: 'command_line', actor: null, network: null, request_id: null } as const;
  const asCommand = (act: () => Promise<unknown>) => async () => {
    await withOrigin(byCommand, act);
    return undefined;
  };
  const via = { via: 'command_line' };
  const created = await during(asCommand(() => doorward.services.create('billing')));
  assert.deepEqual(created, [event('service.created', null, null, { name: 'billing', ...via })]);
  const deleted = await during(asCommand(() => doorward.services.delete('billing')));
  assert.deepEqual(deleted, [event('service.deleted', null, null, { name: 'billing', ...via })]);
  let kid = '';
  const rotated = await during(
    asCommand(async () => {
      ({ kid } = (await doorward.keys.rotate({ immediately: true })).key);
    }),
  );
  assert.deepEqual(rotated, [event('key.created', null, null, { kid, ...via })]);
  assert.ok((await all()).some((one) => one.kind === 'key.created' && one.detail.via === 'system'));
  const [former] = (await doorward.keys.list()).filter((key) => key.kid !== kid);
  const retired = await during(asCommand(() => doorward.keys.retire(former?.kid ?? '')));
  assert.deepEqual(retired, [event('key.retired', null, null, { kid: former?.kid, ...via })]);
});

journey('what failed leaves nothing in the audit log', async (open) => {
  const instance = await open();
  const { admin, during } = await watch(instance);
  const token = admin.access_token;
  assert.deepEqual(await during(() => instance.request('DELETE', `/auth/users/${admin.id}`, { token })), []);
  const last = { token, json: { is_admin: false } };
  assert.deepEqual(await during(() => instance.request('PATCH', `/auth/users/${admin.id}`, last)), []);
  const taken = { json: { email: admin.email, password, name: 'Again' } };
  assert.deepEqual(await during(() => instance.request('POST', '/auth/signup', taken)), []);
});
