import { startPostgres, type TestPostgres } from './postgres.ts';

let postgres: TestPostgres | undefined;

/** Starts the one PostgreSQL that all test files share; they find it by DOORWARD_TEST_POSTGRES. */
export async function globalSetup(): Promise<void> {
  postgres = await startPostgres();
  process.env.DOORWARD_TEST_POSTGRES = postgres.url('postgres');
}

export async function globalTeardown(): Promise<void> {
  await postgres?.stop();
}
