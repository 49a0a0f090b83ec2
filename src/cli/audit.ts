import type { Command } from 'commander';
import type { Verification } from '../features/audit/index.ts';
import { assertNamed, CommandError, describeCause, UsageError } from './failures.ts';
import { readLines } from './input.ts';
import { count, isUnread, print, printable } from './output.ts';

interface VerifyOptions {
  file?: string;
  publicKey?: string;
  checkpoint?: string;
  json?: true;
}

export function addAudit(program: Command): void {
  const audit = program
    .command('audit')
    .description('Check and export the audit log, whether the server runs or not.')
    .helpCommand(false);

  audit
    .command('verify')
    .description(
      'Look for edited, missing, inserted and reordered events. Exit code 1 when something is found.',
    )
    .option('--file <export>', 'Check an export instead of the database; - is standard input.')
    .option('--public-key <key>', 'With --file: the key that must have signed it, as verify prints it.')
    .option('--checkpoint <file>', 'Also compare with a checkpoint that was kept elsewhere.')
    .option('--json', 'Print the result as one JSON object.')
    .addHelpText(
      'after',
      '\nNothing is written. An export is checked without database, settings and network.',
    )
    .action(async (options: VerifyOptions) => {
      const { file, publicKey } = options;
      assertNamed('file', file);
      assertNamed('file', options.checkpoint);
      if (publicKey !== undefined && file === undefined) throw new UsageError('--public-key is for --file');
      const checkpoint = options.checkpoint === undefined ? undefined : await readText(options.checkpoint);
      const result =
        file === undefined
          ? await verifyDatabase(checkpoint)
          : await verifyFile(file, { publicKey, checkpoint });
      await report(result, options);
    });

  audit
    .command('export [file]')
    .description(
      'Write the audit log as JSON Lines to a new file; - or nothing is standard output. A file that exists is left as it is.',
    )
    .option('--from <time>', 'From this date or date-time (RFC 3339) on.')
    .option('--to <time>', 'Up to before this date or date-time.')
    .action(async (file: string | undefined, options: { from?: string; to?: string }) => {
      assertNamed('file', file);
      const { readTime } = await import('../features/audit/index.ts');
      const read = (name: 'from' | 'to') => {
        const time = options[name] === undefined ? undefined : readTime(options[name]);
        if (options[name] !== undefined && time === undefined)
          throw new UsageError(`--${name} must be a date or a date-time of RFC 3339`);
        return time;
      };
      const range = { from: read('from'), to: read('to') };
      const { withCore } = await import('./core.ts');
      await withCore(async ({ audit }) => {
        if (file !== undefined && file !== '-') return writeParts(file, audit.export(range));
        for await (const part of audit.export(range)) {
          if (isUnread()) return;
          await print(part);
        }
      });
    });
}

async function verifyDatabase(checkpoint: string | undefined): Promise<Verification> {
  const { readEnvironment } = await import('./environment.ts');
  const { readSettings } = await import('../settings.ts');
  const { databaseLocation, openDatabase } = await import('../database/open.ts');
  const { migrations } = await import('../doorward.ts');
  const { findSecretKey } = await import('../features/keys/index.ts');
  const { verifyLog } = await import('../features/audit/index.ts');
  const { assertDatabaseIsThere } = await import('./core.ts');
  const settings = readSettings(readEnvironment().given);
  const location = databaseLocation(settings.DATABASE_URL);
  if (location === 'memory')
    throw new CommandError('a database in memory has no other process to look into it');
  assertDatabaseIsThere(location);
  const db = await openDatabase({ url: settings.DATABASE_URL });
  try {
    // Not done here: what is looked into stays as it is.
    if ((await db.pendingMigrations(migrations)).length > 0)
      throw new CommandError('the database is new or older than this version: run "doorward migrate" first');
    const secretKey = await findSecretKey(db, settings.SECRET_KEY, settings.DATABASE_URL);
    return await verifyLog({ db, settings }, secretKey, { checkpoint });
  } finally {
    await db.close();
  }
}

async function verifyFile(
  file: string,
  known: { publicKey: string | undefined; checkpoint: string | undefined },
): Promise<Verification> {
  const { verifyExport } = await import('../features/audit/index.ts');
  return verifyExport({ lines: readLines(file), ...known });
}

async function report(result: Verification, { file, publicKey, json }: VerifyOptions): Promise<void> {
  const { events, pruned, checkpoints, checkpoints_of_earlier_keys: earlier, until } = result;
  const all = result.findings.length + result.findings_left_out;
  const isExport = result.findings.every(({ code }) => code !== 'no_export');
  if (json) {
    await print(JSON.stringify(result));
  } else if (isExport) {
    for (const { message } of result.findings) await print(printable(message));
    if (result.findings_left_out > 0) await print(`and ${result.findings_left_out} more`);
    const facts = [
      `${count(events, 'event was', 'events were')} checked${until === null ? '' : `, the newest of ${printable(until)}`}.`,
      pruned > 0 ? `${count(pruned, 'older one was', 'older ones were')} removed by age.` : '',
      file === undefined ? `${count(checkpoints, 'checkpoint was', 'checkpoints were')} checked.` : '',
      earlier > 0 ? `${count(earlier, 'of them was', 'of them were')} signed by an earlier key.` : '',
    ];
    await print(facts.filter((fact) => fact !== '').join(' '));
    const isBelieved = file !== undefined && publicKey === undefined;
    const note = isBelieved ? ', which the export itself names: compare it with the one you know' : '';
    await print(`The public key is ${printable(result.public_key)}${note}.`);
  }
  if (!isExport) throw new CommandError(`${file} is no audit export that this version reads`);
  const [first] = result.findings;
  if (all === 1 && first?.code === 'head_file_unreadable') {
    const advice = first.message.includes('(EACCES') ? ': run this as its owner' : '';
    throw new CommandError(`nothing else was found, but AUDIT_HEAD_FILE cannot be read${advice}`);
  }
  if (all > 0) throw new CommandError(`the audit log is not as it was written: ${count(all, 'finding')}`);
  if (!json) await print('The audit log is as it was written.');
}

/** Writes them, a line each, into a new file: whole, or not at all. */
export async function writeParts(file: string, parts: AsyncIterable<string>): Promise<void> {
  const { randomBytes } = await import('node:crypto');
  const { lstatSync } = await import('node:fs');
  const { open } = await import('node:fs/promises');
  const { Readable } = await import('node:stream');
  const { pipeline } = await import('node:stream/promises');
  const { putInPlace } = await import('../database/backup.ts');
  const { removeAtExit } = await import('./backups/files.ts');
  const lines = Readable.from(parts).map((part: string) => `${part}\n`);
  const taken = new CommandError(`${file} exists already`);
  // Never over what is there: the name may be that of the database, or of secret.key.
  if (lstatSync(file, { throwIfNoEntry: false }) !== undefined) throw taken;
  const draft = `${file}.export-${randomBytes(4).toString('hex')}`;
  const forget = removeAtExit(draft);
  try {
    const handle = await open(draft, 'wx', 0o600);
    await pipeline(lines, handle.createWriteStream());
    putInPlace(draft, file, { replace: false });
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw taken;
    // What the system refuses is the file; the database has errors of its own.
    throw errno === undefined ? error : new CommandError(`${file} cannot be written (${code})`);
  } finally {
    forget();
  }
}

async function readText(file: string): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new CommandError(`${file} cannot be read (${describeCause(error)})`);
  }
}
