import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { programEnv } from './support/command.ts';

const root = join(import.meta.dirname, '..');
const password = 'SecurePass123!';
const email = 'ada@example.com';

for (const host of ['fastify', 'express', 'hono']) {
  describe(`Doorward in ${host}, as examples/${host}/server.ts shows it`, () => {
    let folder: string;
    let server: ChildProcess;
    let origin: string;
    let output = '';
    let authorization = '';

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'doorward-example-'));
      server = spawn(process.execPath, [join(root, 'examples', host, 'server.ts')], {
        cwd: folder,
        env: { ...programEnv, PORT: '0', DATABASE_URL: `sqlite:${join(folder, 'doorward.db')}` },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      server.stdout?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
      server.stderr?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
      origin = await new Promise((resolve, reject) => {
        server.once('exit', () => reject(new Error(`it ended: ${output}`)));
        server.stdout?.on('data', () => {
          const [, found] = /Listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(output) ?? [];
          if (found !== undefined) resolve(found);
        });
      });
    });
    after(async () => {
      if (server.exitCode === null) server.kill('SIGKILL');
      await rm(folder, { recursive: true });
    });

    async function ask(method: string, path: string, body?: { type: string; text: string }) {
      const headers = { authorization, ...(body === undefined ? {} : { 'content-type': body.type }) };
      const answer = await fetch(origin + path, {
        method,
        headers,
        ...(body === undefined ? {} : { body: body.text }),
      });
      const text = await answer.text();
      const isJson = answer.headers.get('content-type')?.startsWith('application/json') ?? false;
      return {
        status: answer.status,
        headers: answer.headers,
        text,
        json: isJson ? JSON.parse(text) : undefined,
      };
    }
    const json = (value: unknown) => ({ type: 'application/json', text: JSON.stringify(value) });
    const form = (fields: Record<string, string>) => ({
      type: 'application/x-www-form-urlencoded',
      text: new URLSearchParams(fields).toString(),
    });

    it('answers under /auth: sign up, log in, profile', async () => {
      const made = await ask('POST', '/auth/signup', json({ email, password, name: 'Ada' }));
      assert.equal(made.status, 201, made.text);
      assert.deepEqual(Object.keys(made.json), [
        'id',
        'email',
        'name',
        'is_active',
        'is_admin',
        'created_at',
        'email_verified',
        'pending_email',
        'locale',
        'delete_after',
      ]);
      const again = await ask('POST', '/auth/signup', json({ email, password, name: 'Ada' }));
      assert.deepEqual(
        [again.status, again.json],
        [409, { detail: 'Email already registered', code: 'email_registered' }],
      );
      assert.equal((await ask('GET', '/auth/me')).status, 401);

      const opened = await ask('POST', '/auth/login', form({ username: email, password }));
      assert.equal(opened.status, 200, opened.text);
      assert.equal(opened.headers.get('cache-control'), 'no-store');
      authorization = `Bearer ${opened.json.access_token}`;
      const me = await ask('GET', '/auth/me');
      assert.deepEqual([me.status, me.json.email], [200, email]);
      assert.equal((await ask('PATCH', '/auth/me', json({ name: 'Ada L.' }))).json.name, 'Ada L.');
    });

    it('answers a bad request and a wrong method in its own shape', async () => {
      const invalid = await ask('POST', '/auth/signup', json({ email: 'no address' }));
      assert.deepEqual([invalid.status, invalid.json.code], [422, 'validation_error']);
      const broken = await ask('POST', '/auth/signup', { type: 'application/json', text: '{' });
      assert.deepEqual([broken.status, broken.json.detail[0].type], [422, 'json_invalid']);
      for (const method of ['DELETE', 'OPTIONS']) {
        const { status, headers } = await ask(method, '/auth/login');
        assert.deepEqual([status, headers.get('allow')], [405, 'POST'], method);
      }
      assert.equal((await ask('GET', '/auth/nothing')).json.code, 'not_found');
    });

    it('serves its documentation, health and keys at the root', async () => {
      assert.deepEqual((await ask('GET', '/health/ready')).json, { status: 'ok' });
      assert.equal((await ask('GET', '/.well-known/jwks.json')).json.keys.length, 1);
      assert.equal((await ask('GET', '/openapi.json')).json.openapi, '3.1.0');
      assert.match((await ask('GET', '/docs')).text, /<title>Doorward<\/title>/);
    });

    it('serves the pages, to which mails lead, and their files', async () => {
      for (const path of ['/account', '/account/reset-password', '/console', '/console/users']) {
        const page = await ask('GET', path);
        assert.deepEqual([page.status, /id="doorward-config"/.test(page.text)], [200, true], path);
        const [, script = ''] = /<script[^>]* src="([^"]+)"/.exec(page.text) ?? [];
        assert.equal((await ask('GET', script)).status, 200, script);
      }
    });

    it("guards the host's own route", async () => {
      const signedIn = authorization;
      assert.deepEqual((await ask('GET', '/notes')).json, { owner: email, notes: ['Water the plants'] });
      for (const [bad, reason] of [
        ['', 'Not authenticated'],
        ['Bearer x.y.z', 'Could not validate credentials'],
        [`${signedIn}x`, 'Could not validate credentials'],
      ] as const) {
        authorization = bad;
        const refused = await ask('GET', '/notes');
        assert.equal(refused.status, 401);
        assert.match(refused.headers.get('www-authenticate') ?? '', /^Bearer/);
        assert.match(refused.text, new RegExp(reason));
      }
      authorization = signedIn;
    });

    it("leaves the host's own routes, bodies and 404 as they are", async () => {
      const open = await ask('GET', '/');
      assert.deepEqual(open.json, { hello: 'everybody' });
      for (const header of ['x-request-id', 'cache-control', 'content-security-policy', 'x-powered-by']) {
        assert.equal(open.headers.get(header), null, header);
      }
      const unknown = await ask('GET', '/nothing');
      assert.deepEqual([unknown.status, unknown.json], [404, { error: 'There is no /nothing' }]);
      assert.deepEqual((await ask('POST', '/echo', { type: 'text/plain', text: 'hello' })).json, {
        echo: 'hello',
      });
      const large = 'x'.repeat(80_000);
      assert.deepEqual((await ask('POST', '/echo', { type: 'text/plain', text: large })).json, {
        echo: large,
      });
    });

    it('refuses a body that is too large', async () => {
      const large = await ask('POST', '/auth/signup', json({ name: 'x'.repeat(70_000) }));
      assert.deepEqual([large.status, large.json.code], [413, 'payload_too_large']);
    });

    it('ends cleanly on SIGTERM', async () => {
      assert.ok(!output.includes(password), 'a password in the log');
      server.kill('SIGTERM');
      const [code, signal] = await once(server, 'exit');
      assert.deepEqual([code, signal], [0, null], output);
    });
  });
}
