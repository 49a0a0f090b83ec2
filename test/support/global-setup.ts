import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../src/database/open.ts';
import { migrations } from '../../src/doorward.ts';
import { readyTemplate } from './databases.ts';
import { administrate, startPostgres, type TestPostgres } from './postgres.ts';

let postgres: TestPostgres | undefined;
let folder: string | undefined;

async function makeSchema(url: string): Promise<void> {
  const database = await openDatabase({ url });
  await database.migrate(migrations);
  await database.close();
}

/** Starts what all test files share; they find it by DOORWARD_TEST_POSTGRES and DOORWARD_TEST_SQLITE. */
export async function globalSetup(): Promise<void> {
  folder = await mkdtemp(join(tmpdir(), 'doorward-ready-'));
  const file = join(folder, 'doorward.db');
  await makeSchema(`sqlite:${file}`);
  process.env.DOORWARD_TEST_SQLITE = file;
  postgres = await startPostgres();
  await administrate(postgres.url('postgres'), `create database ${readyTemplate}`);
  await makeSchema(postgres.url(readyTemplate));
  process.env.DOORWARD_TEST_POSTGRES = postgres.url('postgres');
}

export async function globalTeardown(): Promise<void> {
  await postgres?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
}
