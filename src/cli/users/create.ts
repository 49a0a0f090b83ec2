import type { Command } from 'commander';
import { passwordReader } from '../input.ts';
import { createUserPrinter } from '../output.ts';

interface Options {
  email: string;
  name: string;
  admin?: true;
  passwordStdin?: true;
  json?: true;
}

export function addCreate(users: Command): void {
  users
    .command('create')
    .description('Make an account, asking for its password.')
    .requiredOption('--email <email>', 'Email address, which is what the user logs in with.')
    .requiredOption('--name <name>', 'Name of the person.')
    .option('--admin', 'Make the user an administrator.')
    .option('--password-stdin', 'Read the password from standard input.')
    .option('--json', 'Print the user as JSON.')
    .action(async ({ email, name, admin, ...options }: Options) => {
      const readPassword = passwordReader(options);
      const { createCheck } = await import('../check.ts');
      const { withNewCore } = await import('../core.ts');
      const { Closed, Email, Name, NewPassword } = await import('../../http/schema.ts');
      const owner = createCheck(Closed({ email: Email, name: Name }))({ email, name });
      await withNewCore(async (core) => {
        const checkPassword = createCheck(Closed({ password: NewPassword }));
        const { password } = checkPassword({ password: await readPassword() });
        const user = await core.admin.create({ ...owner, password, is_admin: admin === true });
        await createUserPrinter(options)([user]);
      });
    });
}
