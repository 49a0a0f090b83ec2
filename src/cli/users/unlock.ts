import type { Command } from 'commander';
import { createUserPrinter } from '../output.ts';

export function addUnlock(users: Command): void {
  users
    .command('unlock <user>')
    .description('Forget the failed logins of a user, who may then try again at once.')
    .option('--json', 'Print the user as JSON.')
    .action(async (idOrEmail: string, options: { json?: true }) => {
      const { findUser, withCore } = await import('../core.ts');
      await withCore(async (core) => {
        const user = await findUser(core, idOrEmail);
        await core.admin.unlock(user.id);
        await createUserPrinter(options)([user]);
      });
    });
}
