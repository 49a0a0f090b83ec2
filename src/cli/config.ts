import type { Command } from 'commander';
import { mask, maskPasswords } from '../masked-url.ts';
import { createTable, print } from './output.ts';

export function addConfig(program: Command): void {
  program
    .command('config')
    .description('Print every setting with its value and where it comes from, secrets masked.')
    .option('--json', 'Print one JSON object: name to value and origin.')
    .action(async ({ json }: { json?: true }) => {
      const { readEnvironment } = await import('./environment.ts');
      const { describeSetting, readSettings, settingNames } = await import('../settings.ts');
      const { given, origins } = readEnvironment();
      const settings = readSettings(given);

      const entries = settingNames.map((name) => {
        const value = settings[name];
        const isGenerated =
          name === 'SECRET_KEY' && value === undefined && settings.DATABASE_URL !== 'sqlite::memory:';
        const origin = origins.get(name) ?? (isGenerated ? 'generated file' : 'default');
        if (describeSetting(name).secret && (value !== undefined || isGenerated))
          return { name, value: mask, origin };
        return { name, value: typeof value === 'string' ? maskPasswords(value) : value, origin };
      });

      if (json) {
        const object = entries.map(({ name, value, origin }) => [name, { value: value ?? null, origin }]);
        await print(JSON.stringify(Object.fromEntries(object), null, 2));
      } else {
        const rows = entries.map(({ name, value, origin }) => [name, origin, String(value ?? '')]);
        await print(createTable()([['SETTING', 'ORIGIN', 'VALUE'], ...rows]).join('\n'));
      }
    });
}
