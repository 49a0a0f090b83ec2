import type { Command } from 'commander';
import { addPreview } from './preview.ts';

export function addMail(program: Command): void {
  const mail = program.command('mail').description('Look at the mails that are sent.').helpCommand(false);
  addPreview(mail);
}
