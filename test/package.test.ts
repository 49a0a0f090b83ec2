import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '..');
const run = promisify(execFile);
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));

/** A command of a development dependency. */
const command = (name: string) => join(root, 'node_modules', '.bin', name);

// The build of the checkout, as `npm ci` and `npm test` make it: a test must not build under the feet of another.
describe('the package as npm packs it', () => {
  let folder: string;
  let project: string;
  let tarball: string;
  let files: string[];
  const npm = (args: string[], cwd: string) => run('npm', args, { cwd, maxBuffer: 16 * 1024 * 1024 });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'doorward-package-'));
    project = join(folder, 'project');
    const packed = await npm(['pack', '--ignore-scripts', '--json', '--pack-destination', folder], root);
    const [{ filename, files: contents }] = JSON.parse(packed.stdout);
    tarball = join(folder, filename);
    files = contents.map(({ path }: { path: string }) => path);

    await mkdir(project);
    await writeFile(
      join(project, 'package.json'),
      JSON.stringify({ name: 'project', private: true, type: 'module' }),
    );
    await npm(
      ['install', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', tarball],
      project,
    );
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('holds the built program and what a reader needs, and nothing of the development', () => {
    for (const path of [
      'package.json',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
      'dist/index.js',
      'dist/index.d.ts',
      'dist/pages/account.html',
      'dist/pages/console.html',
    ]) {
      assert.ok(files.includes(path), path);
    }
    const others = files.filter(
      (path) =>
        !/^(dist\/.*\.(js|d\.ts|js\.map)|dist\/mail\/(messages\/[\w-]+\.json|templates\/layout\.(html|txt))|dist\/pages\/(account|console)\.html|dist\/libraries\/\w+\.LICENSE\.txt|dist\/pages\/assets\/[\w.-]+\.(js|css)(\.gz|\.br)?|package\.json|[A-Z]+(\.md)?)$/.test(
          path,
        ),
    );
    assert.deepEqual(others, []);
    for (const library of ['kysely', 'typebox'])
      for (const end of ['js', 'LICENSE.txt']) assert.ok(files.includes(`dist/libraries/${library}.${end}`));
    assert.deepEqual(
      files.filter((path) => /\.test\.|^(src|test|bench|scripts|examples|data|console)\//.test(path)),
      [],
    );
  });

  it('is what publint and attw find right', async () => {
    await run(command('publint'), ['--strict', tarball]);
    await run(command('attw'), [tarball, '--profile', 'esm-only', '--no-color']);
  });

  it('installs without a script of its own or of a dependency', async () => {
    const { stdout } = await npm(
      ['query', ':attr(scripts, [install]), :attr(scripts, [postinstall])'],
      project,
    );
    assert.deepEqual(
      JSON.parse(stdout).map(({ name }: { name: string }) => name),
      [],
    );
  });

  it('runs as a command', async () => {
    const { stdout } = await run('npx', ['--no-install', 'doorward', '--version'], { cwd: project });
    assert.equal(stdout.trim(), manifest.version);
  });

  it('serves', async () => {
    const server = spawn(join(project, 'node_modules', '.bin', 'doorward'), ['serve'], {
      cwd: project,
      env: { PATH: process.env.PATH, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    const origin = await new Promise<string>((resolve, reject) => {
      server.once('exit', () => reject(new Error(`it ended: ${output}`)));
      server.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        const [, found] = /listens on (http:\/\/[\d.:]+)/.exec(output) ?? [];
        if (found !== undefined) resolve(found);
      });
    });
    const ready = await fetch(`${origin}/health/ready`);
    assert.deepEqual([ready.status, await ready.json()], [200, { status: 'ok' }]);
    const document = (await (await fetch(`${origin}/openapi.json`)).json()) as { info: { version: string } };
    assert.equal(document.info.version, manifest.version);
    assert.match(await (await fetch(`${origin}/docs`)).text(), /<title>Doorward<\/title>/);
    server.kill('SIGTERM');
    assert.deepEqual(await once(server, 'exit'), [0, null]);
  });

  it('is imported from JavaScript, the test kit too', async () => {
    await writeFile(
      join(project, 'use.js'),
      `import { createDoorward, hashPassword, verifyPassword } from 'doorward';
      import { createTestDoorward } from 'doorward/testing';
      const hash = await hashPassword('SecurePass123!');
      const doorward = await createDoorward({ DATABASE_URL: 'sqlite::memory:', LOG_LEVEL: 'silent' });
      const answer = await doorward.fetch(new Request('http://localhost/health/live'));
      await doorward.close();
      const test = await createTestDoorward();
      const { access_token: token } = await test.signIn();
      const me = await test.request('GET', '/auth/me', { token });
      await test.close();
      console.log(await verifyPassword('SecurePass123!', hash), answer.status, me.status);`,
    );
    const { stdout } = await run(process.execPath, ['use.js'], { cwd: project });
    assert.equal(stdout.trim(), 'true 200 200');
  });

  it('keeps what is inside to itself', async () => {
    await writeFile(join(project, 'reach.js'), `import 'doorward/dist/doorward.js';`);
    await assert.rejects(
      run(process.execPath, ['reach.js'], { cwd: project }),
      /ERR_PACKAGE_PATH_NOT_EXPORTED/,
    );
  });

  it('has types that a strict TypeScript project compiles with', async () => {
    await writeFile(
      join(project, 'use.ts'),
      `import { createDoorward, type Doorward, DoorwardError, type Settings, type User } from 'doorward';
      import { createTestDoorward, type TestDoorward } from 'doorward/testing';
      import Fastify from 'fastify';
      export const doorward: Doorward = await createDoorward({ ACCESS_TOKEN_EXPIRE_MINUTES: 5, PORT: '0' });
      const app = Fastify();
      await app.register(doorward.plugin, { prefix: '/auth' });
      app.get('/notes', { onRequest: app.activeUser }, (request) => request.auth.user.email);
      export const settings: Settings = doorward.settings;
      export const users: Promise<User> = doorward.admin.find(1);
      export const test: TestDoorward = await createTestDoorward();
      export const claims = await doorward.decodeToken('x', 'access');
      export const code: string = new DoorwardError('user_not_found').code;
      // @ts-expect-error no such setting
      await createDoorward({ ACCESS_TOKEN_MINUTES: 5 });
      // @ts-expect-error a refresh token has no audience
      (await doorward.decodeToken('x', 'refresh'))?.aud;`,
    );
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2024',
      strict: true,
      noEmit: true,
      exactOptionalPropertyTypes: true,
      types: ['node'],
      typeRoots: [join(root, 'node_modules', '@types')],
      skipLibCheck: true,
    };
    await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }));
    await run(command('tsc'), ['-p', project]).catch((error) => assert.fail(error.stdout));
  });
});
