import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { withSettingsTable } from '../scripts/write-settings-table.ts';
import { auditKinds } from '../src/audit-kinds.ts';
import { failures } from '../src/errors.ts';
import { settingNames } from '../src/settings.ts';
import { createTestDoorward } from '../src/testing/index.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const run = promisify(execFile);
const readme = read('README.md');
const pages = globSync(['*.md', 'docs/**/*.md', 'src/**/*.md', 'examples/**/*.md', 'bench/**/*.md'], {
  cwd: root,
});
const features = readdirSync(join(root, 'src/features'));
const featurePages = features.map((feature) => `src/features/${feature}/README.md`);

describe('the documentation', () => {
  it('has a page for each feature, with the same questions answered', () => {
    for (const page of featurePages) {
      const headings = read(page).match(/^## .*/gm);
      assert.deepEqual(headings, ['## Endpoints', '## Settings', '## Failures', '## Threats'], page);
    }
  });

  it('has each feature in the tree of the architecture', () => {
    const [, tree = ''] = /^ {2}features\/\n((?: {4}.*\n)*)/m.exec(read('docs/architecture.md')) ?? [];
    const named = [...tree.matchAll(/^ {4}([a-z-]+)\//gm)].map(([, name]) => name);
    assert.deepEqual(named.sort(), features.sort());
  });

  it('names every setting, in the table that is made from the settings and in a page of a feature or operations', () => {
    assert.equal(withSettingsTable(readme), readme, 'run node scripts/write-settings-table.ts');
    const all = [...featurePages, 'docs/operations.md'].map(read).join('\n');
    for (const name of settingNames) assert.ok(all.includes(`\`${name}\``), name);
  });

  it('names no setting that does not exist', () => {
    for (const page of featurePages) {
      const [, section = ''] = /^## Settings\n([\s\S]*?)^## /m.exec(read(page)) ?? [];
      const names = [...section.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, name]) => name);
      assert.deepEqual(
        names.filter((name) => !settingNames.some((known) => known === name)),
        [],
        page,
      );
    }
  });

  it('names every error code', () => {
    for (const code of [...Object.keys(failures), 'validation_error']) {
      assert.ok(readme.includes(`\`${code}\``), code);
    }
    const known = [...Object.keys(failures), 'validation_error'];
    for (const page of featurePages) {
      const [, section = ''] = /^## Failures\n([\s\S]*?)^## /m.exec(read(page)) ?? [];
      const named = [...section.matchAll(/`([a-z_]+)`/g)].map(([, name = '']) => name);
      assert.deepEqual(
        named.filter((name) => !known.includes(name)),
        [],
        page,
      );
    }
  });

  it('lists every kind of audit event, and no other', () => {
    const [, table = ''] =
      /\| kinds \| what \|\n([\s\S]*?)\n\n/.exec(read('src/features/audit/README.md')) ?? [];
    const listed = table.split('\n').flatMap((row) => row.split(' | ')[0]?.match(/[a-z_]+\.[a-z_]+/g) ?? []);
    assert.deepEqual(listed.sort(), Object.keys(auditKinds).sort());
  });

  it('names every route, in the README and in the page of one feature', async () => {
    const test = await createTestDoorward({ EMAIL_LOGIN: 'on' });
    const { paths } = (await test.request('GET', '/openapi.json')).body as { paths: Record<string, object> };
    await test.close();
    const all = featurePages.map(read).join('\n');
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) {
        const route = `\`${method.toUpperCase()} ${path}\``;
        assert.ok(readme.includes(route), `${route} in the README`);
        assert.equal(all.split(route).length - 1, 1, `${route} in the pages of the features`);
      }
    }
    const named = [...readme.matchAll(/`(GET|POST|PUT|PATCH|DELETE) (\/[^`]*)`/g)];
    const undocumented = ['/docs', '/openapi.json'];
    for (const [, method = '', path = ''] of named) {
      if (undocumented.includes(path)) continue;
      assert.ok(Object.hasOwn(paths[path] ?? {}, method.toLowerCase()), `${method} ${path} exists`);
    }
  });

  it('names every command, and no other', async () => {
    const named = [
      ...new Set([...readme.matchAll(/`doorward ([a-z-]+(?: [a-z-]+)?)`/g)].map(([, name]) => name)),
    ];
    const commands = await commandsOf([]);
    assert.deepEqual(named.sort(), commands.sort());
  });

  it('says of each runtime dependency why it is there', () => {
    const { dependencies } = JSON.parse(read('package.json'));
    const table = read('docs/decisions/dependencies.md').match(/^\| `.*/gm) ?? [];
    const named = table.flatMap((row) =>
      [...(row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name),
    );
    assert.deepEqual(named.sort(), Object.keys(dependencies).sort());
  });

  it('links to what exists', () => {
    for (const page of pages) {
      for (const [, target = ''] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target) || target.startsWith('#')) continue;
        const [path = ''] = target.split('#');
        assert.ok(existsSync(join(root, dirname(page), path)), `${page}: ${target}`);
      }
    }
  });

  it('names no npm script and no source file that does not exist', () => {
    const { scripts } = JSON.parse(read('package.json'));
    for (const page of pages) {
      const text = read(page);
      for (const [, name = ''] of text.matchAll(/npm run (?:--silent )?([a-z-]+)/g)) {
        assert.ok(Object.hasOwn(scripts, name), `${page}: npm run ${name}`);
      }
      for (const [, path = ''] of text.matchAll(/`((?:src|test|scripts|examples|bench|docs)\/[\w./-]+)`/g)) {
        assert.ok(existsSync(join(root, path)), `${page}: ${path}`);
      }
    }
  });

  it('has shell blocks in the README that do what they say', async () => {
    const blocks = [...readme.matchAll(/<!-- run -->\n```sh\n([\s\S]*?)```/g)].map(([, block]) => block);
    assert.ok(blocks.length >= 4);
    const folder = await mkdtemp(join(tmpdir(), 'doorward-readme-'));
    const environment = {
      PATH: process.env.PATH,
      HOME: folder,
      DATABASE_URL: `sqlite:${join(folder, 'doorward.db')}`,
    };
    const server = spawn(process.execPath, ['dist/cli/main.js', 'serve'], {
      cwd: root,
      env: { ...environment, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let printed = '';
      const [url, token] = await new Promise<[string, string]>((resolve, reject) => {
        server.once('exit', () => reject(new Error(`it ended: ${printed}`)));
        server.stdout.setEncoding('utf8').on('data', (text: string) => {
          printed += text;
          const [, found] = /listens on (\S+),/.exec(printed) ?? [];
          const [, setup] = /setup token: (\S+)/.exec(printed) ?? [];
          if (found !== undefined && setup !== undefined) resolve([found, setup]);
        });
      });
      // As one script, so that a block finds what the one before it set.
      const script = `set -eu\n${blocks.join('\necho\necho ----\n')}`;
      const { stdout } = await run('bash', ['-c', script], {
        cwd: root,
        env: { ...environment, url, token },
      });
      const [setup = '', created = '', login = '', session = ''] = stdout.split('----\n');
      assert.match(setup, /"email":"admin@example\.com".*"is_admin":true/);
      assert.match(created, /second@example\.com/);
      assert.match(login, /"access_token":"[\w-]+\.[\w-]+\.[\w-]+"/);
      assert.match(session, /^\{"id":1,"email":"admin@example\.com"/);
      assert.match(session, /\}\[\{"id":1,/);
    } finally {
      server.kill('SIGTERM');
      if (server.exitCode === null) await once(server, 'exit');
      await rm(folder, { recursive: true });
    }
  });
});

/** `serve`, `users create` and so on, as the help of the program lists them. */
async function commandsOf(group: string[]): Promise<string[]> {
  const { stdout } = await run(process.execPath, [join(root, 'src/cli/main.ts'), ...group, '--help'], {
    cwd: tmpdir(),
  });
  const [, list = ''] = /Commands:\n([\s\S]*?)(\n\n|$)/.exec(stdout) ?? [];
  const names = [...list.matchAll(/^ {2}([a-z-]+)/gm)]
    .map(([, name = '']) => name)
    .filter((name) => name !== 'help');
  const nested = await Promise.all(names.map((name) => commandsOf([...group, name])));
  // A command without commands of its own is one; a group is named by its commands.
  return names.length > 0 ? nested.flat() : [group.join(' ')];
}
