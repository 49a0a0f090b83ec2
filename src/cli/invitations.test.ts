import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Outcome } from '../../test/support/command.ts';
import { onEachDatabase } from '../../test/support/databases.ts';
import { runCommand } from '../../test/support/hosted-commands.ts';
import { createTestDoorward } from '../testing/index.ts';

const SECRET_KEY = 'cli-invitations-5d2f81c9b6e3a740-not-a-sample';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'doorward-cli-invitations-'));
});
after(() => rm(root, { recursive: true, force: true }));

const linesOf = ({ stdout }: Outcome) => stdout.split('\n').filter((line) => line !== '');

onEachDatabase(
  ({ createReadyUrl }) => {
    test('invitations: create, list, delete; a server that runs mails them', async () => {
      const DATABASE_URL = await createReadyUrl();
      const run = (...args: string[]) =>
        runCommand(['invitations', ...args], { cwd: root, env: { DATABASE_URL, SECRET_KEY } });
      const succeeds = async (...args: string[]) => {
        const outcome = await run(...args);
        assert.deepEqual([outcome.code, outcome.stderr], [0, ''], args.join(' '));
        return linesOf(outcome);
      };
      const fails = async (code: number, message: RegExp, ...args: string[]) => {
        const outcome = await run(...args);
        assert.deepEqual([outcome.code, outcome.stdout], [code, ''], args.join(' '));
        assert.match(outcome.stderr, message);
      };

      assert.deepEqual(await succeeds('list', '--json'), []);
      const [text = ''] = await succeeds(
        ...['create', '--email', 'ada@example.com', '--name', 'Ada', '--admin', '--json'],
      );
      const made = JSON.parse(text);
      assert.deepEqual(
        [made.email, made.name, made.is_admin, made.invited_by, made.state],
        ['ada@example.com', 'Ada', true, null, 'pending'],
      );
      const [header = '', row = ''] = await succeeds(
        'create',
        '--email',
        'grace@example.com',
        '--locale',
        'de',
      );
      assert.match(header, /^ID +EMAIL +STATE +ROLE +CREATED +EXPIRES +NAME$/);
      assert.match(row, /^\d+ +grace@example\.com +pending +user +\S+Z +\S+Z$/);
      await fails(1, /Already invited/, 'create', '--email', 'ADA@example.com');
      await fails(1, /email/, 'create', '--email', 'no address');
      await fails(1, /locale/, 'create', '--email', 'x@example.com', '--locale', '??');
      await fails(2, /required option/, 'create');
      const listed = (await succeeds('list', '--json')).map((line) => JSON.parse(line));
      assert.deepEqual(
        listed.map(({ email }) => email),
        ['grace@example.com', 'ada@example.com'],
      );
      assert.equal((await succeeds('list')).length, 3);

      await succeeds('delete', String(listed[0].id));
      await fails(1, /Invitation not found/, 'delete', String(listed[0].id));
      await fails(2, /number of an invitation/, 'delete', 'ada@example.com');

      const server = await createTestDoorward({ DATABASE_URL, SECRET_KEY }, { now: new Date() });
      try {
        const [mail, ...others] = await server.mails();
        assert.deepEqual([mail?.kind, mail?.to, others.length], ['invitation', 'ada@example.com', 0]);
        const json = { token: mail?.token, password: 'SecurePass123!' };
        const answer = await server.request('POST', '/auth/invitations/accept', { json });
        assert.deepEqual([answer.status, answer.body.name, answer.body.is_admin], [201, 'Ada', true]);
      } finally {
        await server.close();
      }
      await fails(1, /Email already registered/, 'create', '--email', 'ada@example.com');
    });
  },
  { mainly: 'SQLite' },
);
