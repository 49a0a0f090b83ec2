import type { Command } from 'commander';
import { CommandError } from './failures.ts';
import { passwordReader } from './input.ts';
import { print } from './output.ts';

export function addSecretKey(program: Command): void {
  program
    .command('secret-key')
    .description('Manage SECRET_KEY.')
    .helpCommand(false)
    .command('change')
    .description(
      'Replace SECRET_KEY without signing anybody out. Stop every instance before, start them after; it refuses where it sees one serving.',
    )
    .option(
      '--new-stdin',
      'Read the new SECRET_KEY from standard input; otherwise one is made for secret.key.',
    )
    .action(async ({ newStdin }: { newStdin?: true }) => {
      const { readEnvironment } = await import('./environment.ts');
      const { isUsableSecret, readSettings } = await import('../settings.ts');
      const { openDatabase } = await import('../database/open.ts');
      const { changeSecretKey, makeSecretKey, settleSecretKey, writePendingSecretKey } = await import(
        '../features/keys/index.ts'
      );
      const { createInstances } = await import('../features/status/index.ts');
      const { createAuditKeyChange } = await import('../features/audit/index.ts');
      const { withOrigin } = await import('../origin.ts');
      const { commandLine, log, withCore } = await import('./core.ts');
      const settings = readSettings(readEnvironment().given);
      const isGiven = settings.SECRET_KEY !== undefined;
      if (isGiven && !newStdin) {
        throw new CommandError(
          'SECRET_KEY is a setting; give the new one with --new-stdin and set it afterwards',
        );
      }
      const next = newStdin ? await passwordReader({ passwordStdin: true })() : makeSecretKey();
      if (!isUsableSecret(next))
        throw new CommandError('the new SECRET_KEY must be at least 32 bytes, not a sample value');
      // A file is read without them, and an environment cannot hold them all.
      if (next !== next.trim() || /\p{Cc}/u.test(next))
        throw new CommandError(
          'the new SECRET_KEY must be one line, without spaces around it or control characters',
        );

      // As every start does: the schema is brought up to date, and the audit log begun, under the present one.
      await withCore(async () => {});
      const db = await openDatabase({ url: settings.DATABASE_URL });
      try {
        const { all } = await createInstances({ db }).list();
        const running = all.filter(({ is_current }) => !is_current);
        if (running.length > 0) {
          const seen = running.map(({ last_seen_at }) => last_seen_at).sort();
          throw new CommandError(
            `a server runs on this database, last seen at ${seen.at(-1)}: stop every one first; one that crashed is forgotten after a minute`,
          );
        }
        const current = await settleSecretKey(db, settings.SECRET_KEY, settings.DATABASE_URL);
        if (current === next) throw new CommandError('the new SECRET_KEY is the present one');
        const clock = { now: () => new Date() };
        const audit = createAuditKeyChange({ db, clock, log, settings }, current, next);
        await withOrigin(commandLine, () =>
          changeSecretKey(db, current, next, clock.now(), (tx) => {
            // In its turn: of two changes at once, one would write over the secret that the other's database needs.
            if (!isGiven) writePendingSecretKey(settings.DATABASE_URL, next);
            return audit.inTransaction(tx);
          }),
        );
        await settleSecretKey(db, isGiven ? next : undefined, settings.DATABASE_URL);
        await audit.afterwards();
      } finally {
        await db.close();
      }
      const [then, former] = isGiven
        ? ['Set SECRET_KEY to the new one, then start.', 'the former one']
        : ['Start again.', 'the former secret.key, which is kept beside it'];
      await print(`Changed. ${then}\nBackups made before need ${former}.`);
    });
}
