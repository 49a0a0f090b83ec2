import { resolve } from 'node:path';
import type { Database } from './database.ts';
import { openPostgres } from './postgres.ts';
import { openSqlite } from './sqlite.ts';

export interface DatabaseOptions {
  /** `sqlite:<path>`, `sqlite::memory:`, `postgres://…` or `postgresql://…`. */
  readonly url: string;
  /** Connections to PostgreSQL at most; 10 unless told. */
  readonly poolSize?: number;
  /** How long to wait for a connection or for a locked database, in milliseconds; 5000 unless told. */
  readonly waitMs?: number;
  /** Told what no caller can be told: a connection lost while idle, a rollback that failed. */
  readonly onError?: (error: unknown) => void;
}

/** Opens the database that `url` names. Nothing is connected, and no file is made, before the first use. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { url, poolSize = 10, waitMs = 5000, onError = () => {} } = options;
  if (/^postgres(ql)?:\/\//.test(url)) return openPostgres(url, { poolSize, waitMs, onError });
  const path = /^sqlite:(.+)$/s.exec(url)?.[1];
  if (path === undefined)
    throw new Error('DATABASE_URL must start with sqlite:, postgres:// or postgresql://');
  return openSqlite(path === ':memory:' ? path : resolve(path), { waitMs, onError });
}

/** Where the data is: the path of the SQLite file, or `memory` or `postgres`. */
export function databaseLocation(url: string): { path: string } | 'memory' | 'postgres' {
  const path = /^sqlite:(.+)$/s.exec(url)?.[1];
  if (path === undefined) return 'postgres';
  return path === ':memory:' ? 'memory' : { path: resolve(path) };
}
