/** `node bench/verify-run.ts [refresh] [verify] [revocation] [session-size]`: the measurements of sessions and verifiers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '../test/support/postgres.ts';
import type { BenchDatabase, Row } from './verify-parts.ts';

const benches: Record<string, (database: BenchDatabase, rounds: number) => Promise<Row[]>> = {
  refresh: async (...given) => (await import('./refresh.ts')).refresh(...given),
  verify: async (...given) => (await import('./verify.ts')).verify(...given),
  revocation: async (...given) => (await import('./revocation.ts')).revocation(...given),
  'session-size': async (database) => (await import('./session-size.ts')).sessionSize(database),
};
const rounds = Number(process.env.ROUNDS ?? 5);
const only = process.env.DATABASE;
const folder = mkdtempSync(join(tmpdir(), 'doorward-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const sqlite: BenchDatabase = {
  name: 'SQLite',
  createUrl: async () => `sqlite:${join(folder, `bench-${++files}.db`)}`,
};
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(benches);
const postgres = only === 'SQLite' ? undefined : await startPostgres({ durable: true });
for (const name of names) {
  for (const database of [
    sqlite,
    { name: 'PostgreSQL' as const, createUrl: async () => postgres?.createDatabase() ?? '' },
  ]) {
    if (only !== undefined && only !== database.name) continue;
    for (const { what, seen, unit, limit, note } of (await benches[name]?.(database, rounds)) ?? []) {
      const bound =
        limit === undefined ? '' : 'atLeast' in limit ? `≥ ${limit.atLeast}` : `≤ ${limit.atMost}`;
      console.log([what, `${seen.toFixed(2)} ${unit}`, bound, note ?? ''].join('  |  '));
    }
  }
}
await postgres?.stop();
