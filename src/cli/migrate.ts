import type { Command } from 'commander';
import { print } from './output.ts';

export function addMigrate(program: Command): void {
  program
    .command('migrate')
    .description('Bring the database schema up to date; every start does the same.')
    .option('--dry-run', 'Print the SQL of the missing steps and change nothing.')
    .action(async ({ dryRun }: { dryRun?: true }) => {
      const { readEnvironment } = await import('./environment.ts');
      const { readSettings } = await import('../settings.ts');
      const { openDatabase } = await import('../database/open.ts');
      const { migrations } = await import('../doorward.ts');
      const { bringUpToDate } = await import('./core.ts');
      const db = await openDatabase({ url: readSettings(readEnvironment().given).DATABASE_URL });
      try {
        const steps = dryRun ? await db.pendingMigrations(migrations) : await bringUpToDate(db);
        if (steps.length === 0) await print('The schema is up to date.');
        for (const { id, statements } of steps) {
          await print(
            dryRun ? [`-- ${id}`, ...statements.map((sql) => `${sql};`), ''].join('\n') : `Applied ${id}`,
          );
        }
      } finally {
        await db.close();
      }
    });
}
