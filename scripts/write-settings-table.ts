/** Writes the table of settings in the README from the settings themselves; `--check` only tells whether it is right. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeSetting, settingNames } from '../src/settings.ts';

const readme = join(import.meta.dirname, '..', 'README.md');
const [begin, end] = [
  '<!-- settings: written by scripts/write-settings-table.ts -->',
  '<!-- end of settings -->',
];

/** The README with the table of settings as it should be. */
export function withSettingsTable(text: string): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from === -1 || to < from) throw new Error('The README has no place for the table of settings');
  const rows = settingNames.map((name) => {
    const { default: fallback, accepts, help } = describeSetting(name);
    const value = fallback === undefined || fallback === '' ? '' : `\`${fallback}\``;
    return `| \`${name}\` | ${value} | ${help} | ${accepts} |`;
  });
  const table = ['| setting | default | what it does | accepts |', '| --- | --- | --- | --- |', ...rows].join(
    '\n',
  );
  return `${text.slice(0, from + begin.length)}\n${table}\n${text.slice(to)}`;
}

if (import.meta.main) {
  const text = readFileSync(readme, 'utf8');
  const expected = withSettingsTable(text);
  if (!process.argv.includes('--check')) writeFileSync(readme, expected);
  else if (text !== expected) {
    console.error(
      'The table of settings in README.md is out of date: run node scripts/write-settings-table.ts',
    );
    process.exitCode = 1;
  }
}
