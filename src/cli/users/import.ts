import type { Command } from 'commander';
import { ValidationError } from '../../errors.ts';
import type { ImportedAccount } from '../../features/accounts/index.ts';
import { assertNamed, CommandError, describeIssue } from '../failures.ts';
import { readLines } from '../input.ts';
import { count, print, warn } from '../output.ts';

/** Accounts of one transaction: few commits, and nobody waits long for a turn to write. */
const batchSize = 200;

export function addImport(users: Command): void {
  users
    .command('import <file>')
    .description('Take over accounts with their password hashes from JSON Lines; "-" reads standard input.')
    .option('--dry-run', 'Check every line and write no account.')
    .addHelpText(
      'after',
      '\nA line is {"email", "name", "hashed_password", "is_active"?, "is_admin"?, "email_verified"?, "locale"?, "created_at"?};' +
        '\nother fields are ignored. An address that is not said to be unverified counts as verified.' +
        '\nIds are assigned anew. An email that is registered already is skipped, so an import can be repeated.',
    )
    .action(async (file: string, { dryRun = false }: { dryRun?: boolean }) => {
      assertNamed('file', file);
      const { withNewCore } = await import('../core.ts');
      const { createLineReader } = await import('./import-line.ts');
      await withNewCore(async ({ accounts }) => {
        const importBatch = accounts.createImport({ dryRun });
        const readLine = createLineReader();
        const counts = { imported: 0, skipped: 0, refused: 0 };
        let batch: { line: number; account: ImportedAccount }[] = [];

        const write = async () => {
          const outcomes = await importBatch(batch.map(({ account }) => account));
          for (const [index, { line }] of batch.entries()) {
            if (outcomes[index] !== undefined) {
              counts.imported++;
            } else {
              counts.skipped++;
              warn(`line ${line}: Email already registered, skipped`);
            }
          }
          batch = [];
        };

        let line = 0;
        for await (const text of readLines(file)) {
          line++;
          if (text.trim() === '') continue;
          try {
            batch.push({ line, account: readLine(text) });
          } catch (error) {
            if (!(error instanceof ValidationError)) throw error;
            counts.refused++;
            for (const issue of error.issues) warn(`line ${line}: ${describeIssue(issue)}`);
          }
          if (batch.length === batchSize) await write();
        }
        if (batch.length > 0) await write();

        const { imported, skipped, refused } = counts;
        await print(
          `${dryRun ? 'Would import' : 'Imported'} ${imported}, skipped ${skipped}, refused ${refused}`,
        );
        if (refused > 0)
          throw new CommandError(`of ${count(line, 'line')} ${count(refused, 'was', 'were')} refused`);
      });
    });
}
