import type { Command } from 'commander';
import type { ListedKey } from '../features/keys/index.ts';
import { confirmationOnTerminal } from './input.ts';
import { createTable, print, printable, warn } from './output.ts';

async function printKeys(keys: readonly ListedKey[], { json }: { json?: true }): Promise<void> {
  const rows = keys.map((key) => [key.kid, key.algorithm, key.state, key.created_at, key.signs_from]);
  const header = ['KID', 'ALGORITHM', 'STATE', 'CREATED', 'SIGNS FROM'];
  const lines = json ? keys.map((key) => JSON.stringify(key)) : createTable()([header, ...rows]);
  if (lines.length > 0) await print(lines.join('\n'));
}

export function addKeys(program: Command): void {
  const keys = program
    .command('keys')
    .description('Manage the keys that sign access tokens, whether the server runs or not.')
    .helpCommand(false);

  keys
    .command('list')
    .description('List the keys: the one that signs, the next one, former ones that are still honoured.')
    .option('--json', 'Print one JSON object a line.')
    .action(async (options: { json?: true }) => {
      const { withCore } = await import('./core.ts');
      await withCore(async (core) => printKeys(await core.keys.list(), options));
    });

  keys
    .command('rotate')
    .description(
      'Publish a new key, which signs after KEY_PUBLICATION_LEAD_SECONDS, unless one is published already.',
    )
    .option('--now', 'Sign with it at once: for emergencies, because verifiers may not know it yet.')
    .option('--json', 'Print the key as JSON.')
    .action(async ({ now, json }: { now?: true; json?: true }) => {
      const { withCore } = await import('./core.ts');
      await withCore(async (core) => {
        const { key, isNew } = await core.keys.rotate({ immediately: now === true });
        if (!isNew) warn('a new key is published already, and signs later');
        await printKeys([key], json ? { json } : {});
      });
    });

  keys
    .command('retire <kid>')
    .description('Withdraw a key: every access token that it signed is refused from then on.')
    .option('--yes', 'Do not ask.')
    .action(async (kid: string, options: { yes?: true }) => {
      const confirm = confirmationOnTerminal(options);
      const { withCore } = await import('./core.ts');
      await withCore(async (core) => {
        await confirm(`Withdraw the key ${printable(kid)}?`);
        await core.keys.retire(kid);
        await print(`Retired ${kid}`);
      });
    });
}
