import type { Command } from 'commander';
import { CommandError } from './failures.ts';
import { confirmationOnTerminal } from './input.ts';
import { createTable, isUnread, print, printable } from './output.ts';

export function addServices(program: Command): void {
  const services = program
    .command('services')
    .description('Manage credentials of services that ask about tokens (introspect, revoke).')
    .helpCommand(false);

  services
    .command('create <name>')
    .description('Make a credential; its secret is printed once and cannot be read again.')
    .option('--json', 'Print name and secret as JSON.')
    .action(async (name: string, { json }: { json?: true }) => {
      const { withNewCore } = await import('./core.ts');
      await withNewCore(async (core) => {
        const { service, secret } = await core.services.create(name);
        try {
          await print(json ? JSON.stringify({ ...service, secret }) : `Secret of ${service.name}: ${secret}`);
          if (isUnread()) throw new CommandError('nobody reads standard output');
        } catch (error) {
          // Nobody knows the secret, and the name would be taken.
          await core.services.delete(name);
          throw error;
        }
      });
    });

  services
    .command('list')
    .description('List the services that have a credential.')
    .option('--json', 'Print one JSON object a line.')
    .action(async ({ json }: { json?: true }) => {
      const { withCore } = await import('./core.ts');
      await withCore(async (core) => {
        const listed = await core.services.list();
        const rows = listed.map((service) => [service.name, service.created_at]);
        const lines = json
          ? listed.map((service) => JSON.stringify(service))
          : createTable()([['NAME', 'CREATED'], ...rows]);
        if (lines.length > 0) await print(lines.join('\n'));
      });
    });

  services
    .command('delete <name>')
    .description('Withdraw a credential.')
    .option('--yes', 'Do not ask.')
    .action(async (name: string, options: { yes?: true }) => {
      const confirm = confirmationOnTerminal(options);
      const { withCore } = await import('./core.ts');
      await withCore(async (core) => {
        await confirm(`Withdraw the credential of ${printable(name)}?`);
        await core.services.delete(name);
        await print(`Deleted ${name}`);
      });
    });
}
