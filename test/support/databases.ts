import { randomBytes } from 'node:crypto';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe } from 'node:test';
import { administrate, startPostgres, type TestPostgres } from './postgres.ts';

/** The database of the run's PostgreSQL that has the schema and nothing else; for SQLite DOORWARD_TEST_SQLITE is such a file. */
export const readyTemplate = 'doorward_ready';

/** A kind of database that tests run on. */
export interface TestDatabase {
  readonly name: 'SQLite' | 'PostgreSQL';
  /** Makes an empty database, removed when the tests of the group are over; resolves to its DATABASE_URL. */
  createUrl(): Promise<string>;
  /** The same with the schema in it, where that is quicker than to let the first start make it. */
  createReadyUrl(): Promise<string>;
}

/**
 * Registers the tests that `define` defines once for each kind of database. `mainly`: for commands, of which each is a
 * process to start and whose features are tested on both by themselves; on the other one with DOORWARD_THOROUGH=1.
 */
export function onEachDatabase(
  define: (database: TestDatabase) => void,
  { mainly }: { mainly?: TestDatabase['name'] } = {},
): void {
  const isThorough = mainly === undefined || process.env.DOORWARD_THOROUGH === '1';
  if (isThorough || mainly === 'SQLite') onSqlite(define);
  if (isThorough || mainly === 'PostgreSQL') onPostgres(define);
}

function onSqlite(define: (database: TestDatabase) => void): void {
  describe('on SQLite', () => {
    const folders: string[] = [];
    after(async () => {
      for (const folder of folders) await rm(folder, { recursive: true, force: true });
    });
    const create = async (template?: string) => {
      const folder = await mkdtemp(join(tmpdir(), 'doorward-sqlite-'));
      folders.push(folder);
      const path = join(folder, 'doorward.db');
      if (template !== undefined) await copyFile(template, path);
      return `sqlite:${path}`;
    };
    define({
      name: 'SQLite',
      createUrl: () => create(),
      createReadyUrl: () => create(process.env.DOORWARD_TEST_SQLITE),
    });
  });
}

function onPostgres(define: (database: TestDatabase) => void): void {
  describe('on PostgreSQL', () => {
    const names: string[] = [];
    let started: Promise<TestPostgres> | undefined;
    /** The server that the whole run shares, or one for this group if a test file runs alone. */
    const administrationUrl = async () => {
      if (process.env.DOORWARD_TEST_POSTGRES) return process.env.DOORWARD_TEST_POSTGRES;
      started ??= startPostgres();
      return (await started).url('postgres');
    };
    after(async () => {
      if (started) return (await started).stop();
      for (const name of names) {
        await administrate(await administrationUrl(), `drop database if exists ${name} with (force)`);
      }
    });
    const create = async (template = '') => {
      const url = new URL(await administrationUrl());
      const name = `test_${randomBytes(8).toString('hex')}`;
      await administrate(url.href, `create database ${name} ${template} strategy file_copy`);
      names.push(name);
      url.pathname = `/${name}`;
      return url.href;
    };
    define({
      name: 'PostgreSQL',
      createUrl: () => create(),
      createReadyUrl: () =>
        process.env.DOORWARD_TEST_POSTGRES ? create(`template ${readyTemplate}`) : create(),
    });
  });
}
