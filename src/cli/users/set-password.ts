import type { Command } from 'commander';
import { passwordReader } from '../input.ts';
import { createUserPrinter } from '../output.ts';

export function addSetPassword(users: Command): void {
  users
    .command('set-password <user>')
    .description('Give a user a new password and end all sessions of the user.')
    .option('--password-stdin', 'Read the password from standard input.')
    .option('--json', 'Print the user as JSON.')
    .action(async (idOrEmail: string, options: { passwordStdin?: true; json?: true }) => {
      const readPassword = passwordReader(options);
      const { createCheck } = await import('../check.ts');
      const { findUser, withCore } = await import('../core.ts');
      const { userLock } = await import('../../database/lock-names.ts');
      const { DoorwardError } = await import('../../errors.ts');
      const { Closed, NewPassword } = await import('../../http/schema.ts');
      await withCore(async (core) => {
        const { accounts, passwords, kernel } = core;
        const user = await findUser(core, idOrEmail);
        const checkPassword = createCheck(Closed({ password: NewPassword }));
        const { password } = checkPassword({ password: await readPassword() });
        passwords.assertAllowed(password, user, ['body', 'password']);
        const hash = await passwords.hash(password);
        await kernel.db.transaction(async (tx) => {
          await kernel.db.lock(tx, userLock(user.id));
          if ((await accounts.find(user.id, tx)) === undefined) throw new DoorwardError('user_not_found');
          await passwords.replace(tx, user.id, hash, null);
        });
        await createUserPrinter(options)([user]);
      });
    });
}
