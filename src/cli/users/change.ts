import type { Command } from 'commander';
import { createUserPrinter } from '../output.ts';

const changes = {
  promote: { change: { is_admin: true }, description: 'Make a user an administrator.' },
  demote: { change: { is_admin: false }, description: 'Make an administrator an ordinary user.' },
  activate: { change: { is_active: true }, description: 'Let a deactivated user log in again.' },
  deactivate: {
    change: { is_active: false },
    description: 'Lock a user out and end all sessions of the user.',
  },
};

export function addChanges(users: Command): void {
  for (const [name, { change, description }] of Object.entries(changes)) {
    users
      .command(`${name} <user>`)
      .description(description)
      .option('--json', 'Print the user as JSON.')
      .action(async (idOrEmail: string, options: { json?: true }) => {
        const { findUser, withCore } = await import('../core.ts');
        await withCore(async (core) => {
          const { id } = await findUser(core, idOrEmail);
          await createUserPrinter(options)([await core.admin.change(id, change)]);
        });
      });
  }
}
