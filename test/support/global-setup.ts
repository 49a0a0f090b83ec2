import { openDatabase } from '../../src/database/open.ts';
import { migrations } from '../../src/doorward.ts';
import { readyTemplate } from './databases.ts';
import { administrate, startPostgres, type TestPostgres } from './postgres.ts';

let postgres: TestPostgres | undefined;

/** Starts the one PostgreSQL that all test files share; they find it by DOORWARD_TEST_POSTGRES. */
export async function globalSetup(): Promise<void> {
  postgres = await startPostgres();
  await administrate(postgres.url('postgres'), `create database ${readyTemplate}`);
  const database = await openDatabase({ url: postgres.url(readyTemplate) });
  await database.migrate(migrations);
  await database.close();
  process.env.DOORWARD_TEST_POSTGRES = postgres.url('postgres');
}

export async function globalTeardown(): Promise<void> {
  await postgres?.stop();
}
