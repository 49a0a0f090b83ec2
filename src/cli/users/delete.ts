import type { Command } from 'commander';
import { confirmation } from '../input.ts';
import { createUserPrinter, print, printable } from '../output.ts';

export function addDelete(users: Command): void {
  users
    .command('delete <user>')
    .description('Delete a user for good, with everything that belongs to the user.')
    .option('--yes', 'Do not ask.')
    .option('--json', 'Print the user, as it was, as JSON.')
    .action(async (idOrEmail: string, options: { yes?: true; json?: true }) => {
      const confirm = confirmation(options);
      const { findUser, withCore } = await import('../core.ts');
      await withCore(async (core) => {
        const user = await findUser(core, idOrEmail);
        const who = `user ${user.id}, ${printable(user.email)}`;
        await confirm(`Delete ${who}?`);
        await core.admin.delete(user.id);
        if (options.json) await createUserPrinter(options)([user]);
        else await print(`Deleted ${who}`);
      });
    });
}
