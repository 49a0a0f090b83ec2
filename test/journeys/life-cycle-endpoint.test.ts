import assert from 'node:assert/strict';
import { assertFailure, type Journey, journey, password } from '../support/journey.ts';

interface Transition {
  to: string;
  action: 'activate' | 'deactivate' | 'delete' | 'set_email';
  refused_because: string | null;
}

const lifeOf = async ({ request }: Journey, id: number, token: string) => {
  const answer = await request('GET', `/auth/users/${id}/life-cycle`, { token });
  assert.equal(answer.status, 200, answer.text);
  return answer.body as { state: string; transitions: Transition[]; demotion_refused_because: string | null };
};

/** Makes the request that an action stands for. */
function act({ request }: Journey, id: number, action: Transition['action'], token: string) {
  const path = `/auth/users/${id}`;
  if (action === 'delete') return request('DELETE', path, { token });
  if (action === 'set_email')
    return request('PATCH', path, { token, json: { email: `vouched${id}@example.com` } });
  return request('POST', `${path}/${action}`, { token });
}

/** Makes a user in each state; answers the id. */
async function makeIn(state: string, instance: Journey, token: string): Promise<number> {
  const { id, email } = await instance.signUp(`u${Math.random().toString(36).slice(2)}@example.com`);
  const set = (json: object) => instance.request('PATCH', `/auth/users/${id}`, { token, json });
  if (state !== 'pending' && state !== 'suspended unproved') await set({ email: `proved.${email}` });
  if (state.startsWith('suspended')) await set({ is_active: false });
  if (state === 'deletion_scheduled') {
    const own = (await instance.logIn(`proved.${email}`)).body.access_token;
    const closed = await instance.request('DELETE', '/auth/me', {
      token: own,
      json: { current_password: password },
    });
    assert.equal(closed.status, 204, closed.text);
  }
  return id;
}

journey('each step that is told can be made, and leads where it is told to lead', async (open) => {
  const instance = await open({ DELETION_GRACE_DAYS: 7 });
  const { access_token: token } = await instance.signIn({ is_admin: true });
  const expected: Record<string, string[]> = {
    pending: ['active by set_email', 'suspended by deactivate', 'erased by delete'],
    active: ['suspended by deactivate', 'erased by delete'],
    suspended: ['active by activate', 'erased by delete'],
    'suspended unproved': ['pending by activate', 'erased by delete'],
    deletion_scheduled: ['active by activate', 'suspended by deactivate', 'erased by delete'],
  };
  for (const [state, steps] of Object.entries(expected)) {
    const first = await lifeOf(instance, await makeIn(state, instance, token), token);
    assert.equal(first.state, state.split(' ')[0]);
    assert.deepEqual(
      first.transitions.map(({ to, action }) => `${to} by ${action}`),
      steps,
    );
    for (const { to, action, refused_because } of first.transitions) {
      assert.equal(refused_because, null, `${state}: ${action}`);
      const id = await makeIn(state, instance, token);
      const answer = await act(instance, id, action, token);
      assert.ok([200, 204].includes(answer.status), `${state}, ${action}: ${answer.text}`);
      if (to === 'erased')
        assertFailure(
          await instance.request('GET', `/auth/users/${id}/life-cycle`, { token }),
          404,
          'User not found',
          'user_not_found',
        );
      else assert.equal((await lifeOf(instance, id, token)).state, to);
    }
  }
});

journey('what a rule refuses is told with its code, and refused with it', async (open) => {
  const instance = await open();
  const admin = await instance.signIn({ is_admin: true });
  const token = admin.access_token;
  const refusals = async (id: number) => {
    const { transitions, demotion_refused_because } = await lifeOf(instance, id, token);
    for (const { action, refused_because } of transitions) {
      if (refused_because === null) continue;
      const answer = await act(instance, id, action, token);
      assert.equal(answer.body.code, refused_because, action);
    }
    const told = transitions.map(({ action, refused_because }) => [action, refused_because]);
    return { ...Object.fromEntries(told), demotion: demotion_refused_because };
  };
  const self = { deactivate: 'cannot_deactivate_self', delete: 'cannot_delete_self' };
  assert.deepEqual(await refusals(admin.id), { ...self, demotion: 'last_admin' });
  const demoted = await instance.request('PATCH', `/auth/users/${admin.id}`, {
    token,
    json: { is_admin: false },
  });
  assert.equal(demoted.body.code, 'last_admin');

  const second = await instance.signIn({ is_admin: true });
  assert.deepEqual(await refusals(admin.id), { ...self, demotion: null });
  assert.deepEqual(await refusals(second.id), { deactivate: null, delete: null, demotion: null });
  // The last one by another's look: the command line has no self.
  await instance.doorward.admin.change(second.id, { is_active: false });
  const last = await instance.doorward.admin.describeLife(admin.id);
  assert.deepEqual(
    last.transitions.map(({ refused_because }) => refused_because),
    ['last_admin', 'last_admin'],
  );
  assert.deepEqual(await refusals(second.id), { activate: null, delete: null, demotion: null });
});
