import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { inspectPostgres, type PostgresBackupState } from '../../database/backup.ts';
import { CommandError } from '../failures.ts';
import { print } from '../output.ts';

/**
 * Says how to back a PostgreSQL up, and whether it is.
 * @throws CommandError when it is not, and when a file was asked for, which is not written.
 */
export async function checkPostgres(url: string, file: string | undefined): Promise<void> {
  const state = await inspectPostgres(url);
  const { version, database, is_standby, wal_level, archive_mode } = state;
  const dump = describePgDump(await readPgDumpVersion(), version);
  const archive = describeArchive(state);
  const lines = [
    'On PostgreSQL its own tools make backups:',
    `- of one moment: pg_dump --format=custom --file=FILE ${database}, and back pg_restore --clean --if-exists`,
    '- to any moment: pg_basebackup, and continuous archiving of the log',
    'After bringing one back: doorward restore --finish. SECRET_KEY is in neither: keep it too, apart from them.',
    `PostgreSQL ${version}${is_standby ? ', a standby' : ''}, wal_level ${wal_level}, archive_mode ${archive_mode}`,
    `${dump.isReady ? 'ok    ' : 'not ok'} pg_dump: ${dump.text}`,
    `${archive.isReady ? 'ok    ' : 'not ok'} archiving: ${archive.text}`,
  ];
  await print(lines.join('\n'));
  if (file !== undefined) throw new CommandError(`${file} was not written: the database is PostgreSQL`);
  if (state.is_failing) throw new CommandError('archiving of the log fails');
  if (!dump.isReady && !archive.isReady) throw new CommandError('nothing backs this database up');
}

interface Finding {
  isReady: boolean;
  text: string;
}

function describePgDump(pgDump: number | undefined, version: number): Finding {
  if (pgDump === undefined) return { isReady: false, text: 'not found on this machine' };
  if (pgDump < version)
    return { isReady: false, text: `version ${pgDump} here cannot dump a server of version ${version}` };
  return { isReady: true, text: `version ${pgDump} here; whether it is run regularly cannot be seen` };
}

function describeArchive(state: PostgresBackupState): Finding {
  const { archive_mode, wal_level, is_failing, last_archived } = state;
  if (archive_mode === 'off' || wal_level === 'minimal') return { isReady: false, text: 'off' };
  if (is_failing)
    return { isReady: false, text: `the last attempt failed; last archived ${last_archived ?? 'never'}` };
  if (last_archived === null) return { isReady: false, text: 'nothing was archived yet' };
  return { isReady: true, text: `last archived ${last_archived}` };
}

async function readPgDumpVersion(): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)('pg_dump', ['--version']);
    return Number(/ (\d+)[.\s\w]*/.exec(stdout)?.[1]);
  } catch {
    return undefined;
  }
}
