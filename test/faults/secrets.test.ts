import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { compactDecrypt } from 'jose';
import { deriveKey } from '../../src/crypto/derived-keys.ts';
import { runCommand, startServe } from '../support/command.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createClient } from '../support/fault-client.ts';
import { dump, query } from '../support/fault-inspect.ts';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'doorward-secrets-'));
});
after(() => rm(root, { recursive: true, force: true }));

/** The ways in which a text may be written down. */
function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    `${new URLSearchParams({ x: secret })}`.slice(2),
    bytes.toString('hex'),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
  ];
}

/** Everything that is stored, as octets of one character each. */
async function storedBytes(databaseUrl: string): Promise<string> {
  if (!databaseUrl.startsWith('sqlite:')) return dump(databaseUrl);
  const path = databaseUrl.slice('sqlite:'.length);
  const files = [path, `${path}-wal`, `${path}-shm`].filter((file) => existsSync(file));
  assert.ok(files.length === 3);
  return (
    (await Promise.all(files.map((file) => readFile(file, 'latin1')))).join('\n') + (await dump(databaseUrl))
  );
}

onEachDatabase(({ createUrl }) => {
  for (const given of ['q8Yb-n0t-a-s4mple-key-of-enough-bytes', undefined]) {
    test(`no secret is in the log or the database (SECRET_KEY ${given ? 'given' : 'made'})`, async (t) => {
      const databaseUrl = await createUrl();
      const env = { DATABASE_URL: databaseUrl, LOG_LEVEL: 'debug', ...(given ? { SECRET_KEY: given } : {}) };
      const command = { cwd: await mkdtemp(join(root, 'cwd-')), env };
      const secrets = new Map<string, string>();
      const secret = (name: string, value: string) => {
        assert.ok(value.length >= 8, name);
        secrets.set(name, value);
        return value;
      };
      const server = await startServe(command);
      t.after(() => server.signal('SIGKILL'));
      const client = createClient(server.url);
      const announced = /setup token: (\S+)\n/;
      while (!announced.test(server.output.stdout)) await sleep(5);
      const setupToken = secret('setup token', announced.exec(server.output.stdout)?.[1] ?? '');

      const ask = async (status: number, method: string, path: string, json?: object, token?: string) => {
        const answer = await client.ask(method, path, {
          ...(json ? { json } : {}),
          ...(token ? { token } : {}),
        });
        assert.equal(answer.status, status, `${method} ${path} ${answer.text}`);
        return answer.body;
      };
      const logIn = async (name: string, username: string, password: string): Promise<string> => {
        const tokens = await ask(200, 'POST', '/auth/login', { username, password });
        for (const kind of ['access_token', 'refresh_token']) {
          secret(`${kind} of ${name}`, tokens[kind]);
          secret(`signature of ${kind} of ${name}`, tokens[kind].split('.')[2]);
        }
        return tokens.access_token;
      };
      const ann = {
        email: 'ann@example.com',
        name: 'Ann',
        password: secret('setup password', 'Set-Up "Päss" 1!'),
      };
      await ask(403, 'POST', '/auth/setup', {
        token: secret('wrong setup token', 'wr0ng-setup-token'),
        ...ann,
      });
      await ask(201, 'POST', '/auth/setup', { token: setupToken, ...ann });
      const admin = await logIn('ann', ann.email, ann.password);
      const bob = {
        email: 'bob@example.com',
        name: 'Bob',
        password: secret('sign-up password', 'Sign%Up&Pw=1+2!'),
      };
      await ask(201, 'POST', '/auth/signup', bob);
      const weak = {
        ...bob,
        email: 'weak@example.com',
        password: secret('weak password', 'weakling-password'),
      };
      await ask(422, 'POST', '/auth/signup', weak);
      await ask(422, 'POST', '/auth/signup', {
        ...bob,
        [secret('misplaced password', 'Mispl4ced!Field')]: 1,
      });
      await ask(409, 'POST', '/auth/signup', bob);
      const token = await logIn('bob', bob.email, bob.password);
      const wrong = secret('wrong password', 'Wr0ng!Password-77');
      await ask(401, 'POST', '/auth/login', { username: bob.email, password: wrong });
      await ask(401, 'POST', '/auth/login', {
        username: secret('password as username', 'Us3rname!Pass'),
        password: wrong,
      });
      await ask(401, 'POST', `/auth/login?password=${encodeURIComponent(wrong)}`, {
        username: bob.email,
        password: wrong,
      });
      const form = `username=bob%40example.com&password=${encodeURIComponent(wrong)}`;
      const headers = ['content-type', 'application/x-www-form-urlencoded'];
      assert.equal(
        (await client.send({ method: 'POST', path: '/auth/login', headers, body: form })).status,
        401,
      );
      assert.equal(
        (await client.send({ method: 'POST', path: '/auth/login', headers, body: `${form}%` })).status,
        422,
      );
      const broken = `{"username":"bob@example.com","password":"${wrong}"`;
      const json = ['content-type', 'application/json'];
      assert.equal(
        (await client.send({ method: 'POST', path: '/auth/login', headers: json, body: broken })).status,
        422,
      );
      const basic = Buffer.from(`bob:${wrong}`).toString('base64');
      const withBasic = { method: 'GET', path: '/auth/me', headers: ['authorization', `Basic ${basic}`] };
      assert.equal((await client.send(withBasic)).status, 401);
      await ask(401, 'GET', '/auth/me', undefined, `${token.slice(0, -4)}AAAA`);
      await ask(401, 'GET', `/auth/me?access_token=${token}`);
      const next = secret('changed password', 'Ch4nged!Password');
      const change = (current_password: string) => ({ current_password, new_password: next });
      await ask(400, 'POST', '/auth/me/password', change(wrong), token);
      await ask(200, 'POST', '/auth/me/password', change(bob.password), token);
      await logIn('bob again', bob.email, next);
      const eve = {
        email: 'eve@example.com',
        name: 'Eve',
        password: secret('password by admin', 'By-Adm1n!Made'),
      };
      await ask(201, 'POST', '/auth/users', { ...eve, is_admin: true }, admin);
      await ask(401, 'POST', '/auth/users', eve, `${admin.slice(0, -4)}AAAA`);
      await ask(400, 'DELETE', '/auth/me', { current_password: wrong }, token);

      const outputs: string[] = [];
      const run = async (args: string[], input: string) => {
        const { code, stdout, stderr } = await runCommand(args, { ...command, input });
        outputs.push(stdout, stderr);
        return code;
      };
      const create = [
        'users',
        'create',
        '--email',
        'cli@example.com',
        '--name',
        'Cli',
        '--password-stdin',
        '--json',
      ];
      const byCommand = secret('password by command', 'Comm4nd!Line-Pw');
      assert.equal(await run(create, byCommand), 0);
      assert.equal(await run(create, byCommand), 1);
      assert.equal(
        await run(
          ['users', 'set-password', 'cli@example.com', '--password-stdin'],
          secret('set', 'S3t!By-Command'),
        ),
        0,
      );
      assert.equal(
        await run(['users', 'set-password', 'cli@example.com', '--password-stdin'], weak.password),
        1,
      );
      assert.equal(await run(['config'], ''), 0);

      const secretKey = secret('SECRET_KEY', given ?? (await readSecretFile(databaseUrl, command.cwd)));
      const keys = await query(databaseUrl, 'select private_jwe from signing_keys');
      assert.ok(keys.length > 0);
      for (const { private_jwe } of keys) {
        const opened = await compactDecrypt(
          String(private_jwe),
          deriveKey(secretKey, 'signing-key-encryption'),
        );
        secret('private key', JSON.parse(Buffer.from(opened.plaintext).toString()).d);
      }

      const stored = await storedBytes(databaseUrl);
      client.close();
      server.signal('SIGTERM');
      assert.equal(await server.ended, 0);
      const log =
        server.output.stdout.replace(/^(No admin yet\.|Without a browser,).*\n/gm, '') +
        server.output.stderr +
        outputs.join('\n');
      assert.match(log, /"path":"\/auth\/login"/);
      assert.match(stored, /bob@example\.com/);
      for (const [name, value] of secrets) {
        for (const spelling of spellings(value)) {
          assert.ok(!log.includes(spelling), `${name} is in the log`);
          const octets = Buffer.from(spelling).toString('latin1');
          assert.ok(!stored.includes(spelling) && !stored.includes(octets), `${name} is in the database`);
        }
      }
      for (const isPrivate of [
        /"(d|p|q|dp|dq|qi|k)":"/,
        /PRIVATE KEY/,
        /eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{20,}(?![\w-]*\.)/,
      ]) {
        assert.doesNotMatch(log, isPrivate);
      }
      assert.doesNotMatch(log, /\$argon2/);
    });
  }
});

async function readSecretFile(databaseUrl: string, cwd: string): Promise<string> {
  const beside = databaseUrl.startsWith('sqlite:')
    ? join(databaseUrl.slice('sqlite:'.length), '..')
    : join(cwd, 'data');
  return (await readFile(join(beside, 'secret.key'), 'utf8')).trim();
}
