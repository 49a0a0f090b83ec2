import type { Command } from 'commander';
import { assertNamed, CommandError, UsageError } from '../failures.ts';
import { confirmation, passphraseReader } from '../input.ts';
import { print } from '../output.ts';

/** Reads the settings, and where the database is. */
async function readSite() {
  const { readEnvironment } = await import('../environment.ts');
  const { readSettings } = await import('../../settings.ts');
  const { databaseLocation } = await import('../../database/open.ts');
  const { given, origins } = readEnvironment();
  const settings = readSettings(given);
  return { settings, origins, location: databaseLocation(settings.DATABASE_URL) };
}

export function addBackup(program: Command): void {
  program
    .command('backup [file]')
    .description('Write a verified copy of the database, whether the server runs or not.')
    .option('--encrypt', 'Encrypt it under a passphrase, as "age --passphrase" does.')
    .option('--passphrase-stdin', 'Read the passphrase from standard input.')
    .option('--force', 'Replace the file, if it is an earlier backup that nobody has open.')
    .addHelpText(
      'after',
      '\nSECRET_KEY is not in it: keep that too, elsewhere. On PostgreSQL nothing is written; it says what to use' +
        '\ninstead and checks it.',
    )
    .action(
      async (file: string | undefined, options: { encrypt?: true; passphraseStdin?: true; force?: true }) => {
        assertNamed('file', file);
        const { settings, origins, location } = await readSite();
        if (location === 'memory') throw new CommandError('a database in memory cannot be backed up');
        if (location === 'postgres') {
          const { checkPostgres } = await import('./postgres.ts');
          return checkPostgres(settings.DATABASE_URL, file);
        }
        if (file === undefined) throw new UsageError("missing required argument 'file'");
        if (options.passphraseStdin && !options.encrypt)
          throw new UsageError('--passphrase-stdin is for --encrypt');
        const readPassphrase = options.encrypt ? passphraseReader(options, { isNew: true }) : undefined;
        const { writeBackup } = await import('./write.ts');
        await print(
          await writeBackup(location.path, file, { replace: options.force === true, readPassphrase }),
        );
        const secret = origins.has('SECRET_KEY')
          ? 'SECRET_KEY'
          : 'SECRET_KEY (secret.key beside the database)';
        await print(
          `${secret} is not in it: keep that too, apart from the backups. Without it they cannot be used.`,
        );
      },
    );
}

export function addRestore(program: Command): void {
  program
    .command('restore [file]')
    .description('Put a backup in the place of the database. Stop every server before.')
    .option('--passphrase-stdin', 'Read the passphrase of an encrypted backup from standard input.')
    .option('--yes', 'Do not ask.')
    .option('--finish', 'After a database was brought back by other means: end all sessions, and note it.')
    .addHelpText(
      'after',
      '\nSessions that are live go on, those that ended stay ended. The database that was there is kept beside it.' +
        '\nSECRET_KEY must be the one that the backup was made with.',
    )
    .action(
      async (file: string | undefined, options: { passphraseStdin?: true; yes?: true; finish?: true }) => {
        assertNamed('file', file);
        if (options.finish) {
          if (file !== undefined) throw new UsageError('--finish takes no file');
          const confirm = confirmation(options);
          const { settings } = await readSite();
          const { finishRestore } = await import('./restore.ts');
          return print(await finishRestore(settings.DATABASE_URL, confirm));
        }
        if (file === undefined) throw new UsageError("missing required argument 'file'");
        const { settings, location } = await readSite();
        if (location === 'memory') throw new CommandError('a database in memory cannot be restored');
        if (location === 'postgres') {
          throw new CommandError(
            'the database is PostgreSQL: bring it back with pg_restore or from a base backup, then run ' +
              '"doorward restore --finish"',
          );
        }
        const { restoreBackup } = await import('./restore.ts');
        const lines = await restoreBackup(location.path, file, settings, {
          // Whoever puts a plain file in the place of an encrypted one does not know the passphrase.
          isEncrypted: options.passphraseStdin === true,
          passphraseReader: () => passphraseReader(options, { isNew: false }),
          confirmation: () => confirmation(options),
        });
        await print(lines.join('\n'));
      },
    );
}
