import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { SecretKeyMismatchError, SettingsError } from '../../src/index.ts';
import { createTestDoorward } from '../../src/testing/index.ts';
import { onEachDatabase } from '../support/databases.ts';

/** Beside a PostgreSQL the secret is kept in `data` of the working folder. */
const home = process.cwd();
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'doorward-instances-'));
  process.chdir(folder);
});
after(async () => {
  process.chdir(home);
  await rm(folder, { recursive: true, force: true });
});

onEachDatabase((database) => {
  /** An empty database, and the file that its secret is kept in. */
  async function place(): Promise<{ DATABASE_URL: string; file: string }> {
    const DATABASE_URL = await database.createUrl();
    const path = DATABASE_URL.startsWith('sqlite:') ? DATABASE_URL.slice('sqlite:'.length) : undefined;
    const file = path === undefined ? join(folder, 'data', 'secret.key') : join(path, '..', 'secret.key');
    await rm(file, { force: true });
    return { DATABASE_URL, file };
  }

  test('ten instances that start at once on nothing share one secret and one signing key', async (t) => {
    for (const ALGORITHM of ['ES256', 'HS256'] as const) {
      const { DATABASE_URL, file } = await place();
      const settings = { DATABASE_URL, ALGORITHM, DATABASE_POOL_SIZE: 2 };
      const instances = await Promise.all(Array.from({ length: 10 }, () => createTestDoorward(settings)));
      t.after(() => Promise.all(instances.map((instance) => instance.close())));
      const secrets = new Set(instances.map(({ doorward }) => doorward.settings.SECRET_KEY));
      assert.equal(secrets.size, 1);
      assert.equal((await readFile(file, 'utf8')).trim(), [...secrets][0]);
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      const files = await readdir(join(file, '..'));
      assert.deepEqual(
        files.filter((name) => name.startsWith('secret.key')),
        ['secret.key'],
        'no draft is left',
      );

      const [first] = instances;
      const { access_token } = (await first?.signIn()) ?? {};
      for (const { request } of instances) {
        assert.equal((await request('GET', '/auth/me', { token: access_token ?? '' })).status, 200);
        const { body } = await request('GET', '/.well-known/jwks.json');
        assert.equal(body.keys.length, ALGORITHM === 'HS256' ? 0 : 1);
        assert.deepEqual(body, first?.doorward.keys.jwks());
      }
      const rows = await first?.doorward.kernel.db.read.selectFrom('signing_keys').selectAll().execute();
      const secret = first?.doorward.settings.SECRET_KEY ?? 'unknown';
      assert.ok(!JSON.stringify(rows).includes(secret), 'the secret is not in the database');
      assert.doesNotMatch(JSON.stringify(rows), /"d\\?":/, 'no private key is readable');
    }
  });

  test('the secret is made once and used again', async (t) => {
    const { DATABASE_URL, file } = await place();
    const one = await createTestDoorward({ DATABASE_URL });
    const { access_token } = await one.signIn();
    const setupToken = await one.doorward.admin.setupToken();
    await one.close();
    const made = await readFile(file, 'utf8');
    assert.ok(made.trim().length >= 32);
    const two = await createTestDoorward({ DATABASE_URL });
    t.after(() => two.close());
    assert.equal(await readFile(file, 'utf8'), made);
    assert.equal((await two.request('GET', '/auth/me', { token: access_token })).status, 200);
    assert.equal(await two.doorward.admin.setupToken(), setupToken);
  });

  test('a secret that is not the one of the database stops the start, and the right one starts again', async () => {
    const { DATABASE_URL, file } = await place();
    await (await createTestDoorward({ DATABASE_URL })).close();
    const made = (await readFile(file, 'utf8')).trim();
    const other = 'another-3f9c1b7e5a2d4860-not-a-sample';
    const tells = (error: Error) => {
      assert.ok(!error.message.includes(other) && !error.message.includes(made), error.message);
      assert.match(error.message, /SECRET_KEY/);
      return true;
    };
    for (const ALGORITHM of ['ES256', 'HS256'] as const) {
      await assert.rejects(
        createTestDoorward({ DATABASE_URL, ALGORITHM, SECRET_KEY: other }),
        (error: Error) => {
          assert.ok(error instanceof SecretKeyMismatchError);
          return tells(error);
        },
      );
    }
    await (await createTestDoorward({ DATABASE_URL, SECRET_KEY: made })).close();

    // The file is lost: a new secret is not the database's.
    await rm(file);
    await assert.rejects(createTestDoorward({ DATABASE_URL }), SecretKeyMismatchError);
    await writeFile(file, made, { mode: 0o600 });
    await (await createTestDoorward({ DATABASE_URL })).close();
  });

  test('a secret that is too short or a sample stops the start before a database is made', async () => {
    const { DATABASE_URL, file } = await place();
    for (const SECRET_KEY of ['short', 'x'.repeat(40), 'your-secret-key-your-secret-key-0123']) {
      await assert.rejects(createTestDoorward({ DATABASE_URL, SECRET_KEY }), (error: Error) => {
        assert.ok(error instanceof SettingsError);
        assert.equal(error.message, 'SECRET_KEY must be at least 32 bytes, not a sample value');
        return true;
      });
    }
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, 'half');
    await assert.rejects(createTestDoorward({ DATABASE_URL }), /secret\.key is damaged/);
    await rm(file);
    await (await createTestDoorward({ DATABASE_URL })).close();
  });

  test('instances on one database behave as one', async (t) => {
    const { DATABASE_URL } = await place();
    const open = async () => {
      const instance = await createTestDoorward({ DATABASE_URL });
      t.after(() => instance.close());
      return instance;
    };
    const [one, two] = [await open(), await open()];
    const admin = await one.signIn({ is_admin: true });
    const ask = (instance: typeof one, token: string) => instance.request('GET', '/auth/me', { token });
    const revocations: Record<string, (user: typeof admin) => Promise<unknown>> = {
      deactivate: ({ id }) =>
        one.request('POST', `/auth/users/${id}/deactivate`, { token: admin.access_token }),
      delete: ({ id }) => one.request('DELETE', `/auth/users/${id}`, { token: admin.access_token }),
      'close the account': ({ access_token, password }) =>
        one.request('DELETE', '/auth/me', { json: { current_password: password }, token: access_token }),
      'change the password elsewhere': async ({ email, password }) => {
        const form = { username: email, password };
        const { body } = await one.request('POST', '/auth/login', { form });
        const json = { current_password: password, new_password: 'NewSecure456!' };
        return one.request('POST', '/auth/me/password', { json, token: body.access_token });
      },
    };
    for (const [name, revoke] of Object.entries(revocations)) {
      const user = await two.signIn();
      for (const instance of [one, two, two]) {
        assert.equal((await ask(instance, user.access_token)).status, 200, name);
      }
      await revoke(user);
      for (const instance of [two, one]) {
        const { status } = await ask(instance, user.access_token);
        assert.equal(status, name === 'deactivate' ? 403 : 401, `${name}: at the next request`);
      }
    }
    const user = await one.signIn();
    const { body } = await two.request('PATCH', '/auth/me', {
      json: { name: 'Renamed', email: 'renamed@example.com' },
      token: user.access_token,
    });
    assert.deepEqual((await ask(one, user.access_token)).body, body);
    await two.request('PATCH', `/auth/users/${user.id}`, {
      json: { is_admin: true },
      token: admin.access_token,
    });
    assert.equal((await one.request('GET', '/auth/users', { token: user.access_token })).status, 200);
    await two.request('PATCH', `/auth/users/${user.id}`, {
      json: { is_admin: false },
      token: admin.access_token,
    });
    assert.equal((await one.request('GET', '/auth/users', { token: user.access_token })).status, 403);
  });
});
