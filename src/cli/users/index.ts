import type { Command } from 'commander';
import { addChanges } from './change.ts';
import { addCreate } from './create.ts';
import { addDelete } from './delete.ts';
import { addImport } from './import.ts';
import { addList } from './list.ts';
import { addSetPassword } from './set-password.ts';
import { addShow } from './show.ts';
import { addUnlock } from './unlock.ts';

export function addUsers(program: Command): void {
  const users = program
    .command('users')
    .description('Manage accounts, whether the server runs or not; USER is an id or an email.')
    .helpCommand(false);
  addCreate(users);
  addList(users);
  addShow(users);
  addChanges(users);
  addUnlock(users);
  addSetPassword(users);
  addDelete(users);
  addImport(users);
}
