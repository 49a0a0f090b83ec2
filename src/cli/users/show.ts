import type { Command } from 'commander';
import { createUserPrinter } from '../output.ts';

export function addShow(users: Command): void {
  users
    .command('show <user>')
    .description('Show an account.')
    .option('--json', 'Print the user as JSON.')
    .action(async (idOrEmail: string, options: { json?: true }) => {
      const { findUser, withCore } = await import('../core.ts');
      await withCore(async (core) => createUserPrinter(options)([await findUser(core, idOrEmail)]));
    });
}
