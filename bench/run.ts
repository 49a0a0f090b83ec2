/** Measures Doorward against its limits and prints a table of ratios. See README.md. */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '../test/support/postgres.ts';
import { audit } from './audit.ts';
import { list } from './list.ts';
import { login, underLogins } from './login.ts';
import { me } from './me.ts';
import { metrics } from './metrics.ts';
import { refresh } from './refresh.ts';
import { holds, printRows, type Row } from './report.ts';
import { revocation } from './revocation.ts';
import { secureDelete } from './secure-delete.ts';
import { sessionSize } from './session-size.ts';
import { start } from './start.ts';
import { throttle } from './throttle.ts';
import { verify } from './verify.ts';

/** Where databases are made for a measurement. */
export interface BenchDatabase {
  readonly name: 'SQLite' | 'PostgreSQL';
  /** Makes an empty database; resolves to its DATABASE_URL. */
  createUrl(): Promise<string>;
}

type Bench = (database: BenchDatabase, rounds: number, users: number) => Promise<Row[]>;
const benches: Record<string, Bench> = {
  me,
  login,
  'under-logins': underLogins,
  metrics,
  refresh,
  verify,
  revocation,
  'session-size': sessionSize,
  'secure-delete': secureDelete,
  list,
  audit,
  throttle,
};

const names = [...Object.keys(benches), 'start'];
const usage = `npm run bench -- [name …] [--rounds N] [--users N] [--database sqlite|postgresql]

Measures Doorward against its limits; without names everything, which takes long. bench/README.md says what and how.

  names       ${names.join(', ')}
  --rounds    how often each pair is measured in turn (5)
  --users     accounts of "list" (1000000)
  --database  one of the two only
`;

function fail(message: string): never {
  console.error(`${message}\n\n${usage}`);
  process.exit(2);
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: 'string', default: '5' },
        users: { type: 'string', default: '1000000' },
        database: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

const { values, positionals } = readArguments();
if (values.help) {
  console.log(usage);
  process.exit();
}
const unknown = positionals.filter((name) => !names.includes(name));
if (unknown.length > 0) fail(`No such measurement: ${unknown.join(', ')}`);
for (const name of ['rounds', 'users'] as const)
  if (!/^[1-9][0-9]*$/.test(values[name])) fail(`--${name} takes a number from 1 on`);
const wanted = values.database?.toLowerCase();
if (wanted !== undefined && wanted !== 'sqlite' && wanted !== 'postgresql')
  fail('--database takes sqlite or postgresql');
const chosen = positionals.length > 0 ? positionals : names;

const folder = mkdtempSync(join(tmpdir(), 'doorward-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
let files = 0;
const sqlite: BenchDatabase = {
  name: 'SQLite',
  createUrl: async () => `sqlite:${join(folder, `bench-${++files}.db`)}`,
};

const rows: Row[] = [];
const load = () => loadavg()[0]?.toFixed(1);
console.log(
  `${availableParallelism()} cores, load ${load()}, Node ${process.version}, ${values.rounds} rounds`,
);
if (chosen.includes('start')) rows.push(...(await start(sqlite, Number(values.rounds))));
const serverBenches = chosen.filter((name) => name in benches);
if (serverBenches.length > 0) {
  const settings = { shared_buffers: '512MB' };
  const postgres = await startPostgres({ durable: true, settings });
  const databases: BenchDatabase[] = [
    sqlite,
    { name: 'PostgreSQL', createUrl: () => postgres.createDatabase() },
  ];
  try {
    for (const name of serverBenches) {
      for (const database of databases) {
        if (wanted !== undefined && wanted !== database.name.toLowerCase()) continue;
        console.log(`${new Date().toISOString().slice(11, 19)} ${name} on ${database.name}, load ${load()}`);
        rows.push(...((await benches[name]?.(database, Number(values.rounds), Number(values.users))) ?? []));
      }
    }
  } finally {
    await postgres.stop();
  }
}
console.log();
printRows(rows);
const short = rows.filter((row) => !holds(row)).length;
console.log(
  `\n${short === 0 ? 'Every limit holds.' : `${short} of ${rows.length} fall short.`} Load ${load()}.`,
);
