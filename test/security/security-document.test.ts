import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const document = read('docs/security.md');
const advisoriesFile = 'test/security/advisories.test.ts';

/** How many requirements each section of ASVS 5.0.0 has, of the chapters that the document answers whole. */
const sections: Record<string, number> = {
  '2.1': 3,
  '2.2': 3,
  '2.3': 5,
  '2.4': 2,
  '3.1': 1,
  '3.2': 3,
  '3.3': 5,
  '3.4': 8,
  '3.5': 8,
  '3.6': 1,
  '3.7': 5,
  '4.1': 5,
  '4.2': 5,
  '4.3': 2,
  '4.4': 4,
  '6.1': 3,
  '6.2': 12,
  '6.3': 8,
  '6.4': 6,
  '6.5': 8,
  '6.6': 4,
  '6.7': 2,
  '6.8': 4,
  '7.1': 3,
  '7.2': 4,
  '7.3': 2,
  '7.4': 5,
  '7.5': 3,
  '7.6': 2,
  '8.1': 4,
  '8.2': 4,
  '8.3': 3,
  '8.4': 2,
  '9.1': 3,
  '9.2': 4,
  '10.1': 2,
  '10.2': 3,
  '10.3': 5,
  '10.4': 16,
  '10.5': 5,
  '10.6': 2,
  '10.7': 3,
  '14.1': 2,
  '14.2': 8,
  '14.3': 3,
  '15.1': 5,
  '15.2': 5,
  '15.3': 7,
  '15.4': 4,
  '16.1': 1,
  '16.2': 5,
  '16.3': 4,
  '16.4': 3,
  '16.5': 4,
};

/** The cells of the rows of a Markdown table that follow a heading, the head of the table left out. */
function rowsUnder(heading: string): string[][] {
  const [, rest = ''] = document.split(`\n## ${heading}\n`);
  const [section = ''] = rest.split(/\n## /);
  return section
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\|[ |-]+\|$/.test(line) && !line.startsWith('| |'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
}

/** `6.2.2–6.2.3, 6.3.4` as single numbers. */
function numbersOf(cell: string): string[] {
  return cell.split(', ').flatMap((part) => {
    const [first = '', last = first] = part.split('–');
    const section = first.slice(0, first.lastIndexOf('.'));
    assert.ok(last.startsWith(`${section}.`), part);
    const [from, to] = [first, last].map((number) => Number(number.slice(section.length + 1))) as [
      number,
      number,
    ];
    assert.ok(from <= to, part);
    return Array.from({ length: to - from + 1 }, (_, index) => `${section}.${from + index}`);
  });
}

const literally = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Asserts that the file has a call, of whatever registers its tests, with this title, or a scenario of `pageTests`. */
function assertTest(path: string, title: string): void {
  assert.ok(existsSync(join(root, path)), path);
  assert.match(
    read(path),
    new RegExp(`(\\w\\(\\s*(['"\`])${literally(title)}\\2,)|(async '${literally(title)}'\\()`),
    `${path} has no test “${title}”`,
  );
}

const requirements = rowsUnder('OWASP ASVS 5.0').map(
  ([numbers = '', asks = '', state = '', how = '', shown = '']) => ({
    numbers,
    asks,
    state,
    how,
    tests: shown === '' ? [] : shown.split('<br>'),
  }),
);

describe('the page on security', () => {
  it('answers every requirement of its chapters of ASVS, once', () => {
    const answered = requirements.flatMap(({ numbers }) => numbersOf(numbers));
    const expected = Object.entries(sections).flatMap(([section, count]) =>
      Array.from({ length: count }, (_, index) => `${section}.${index + 1}`),
    );
    assert.deepEqual([...answered].sort(), [...expected].sort());
  });

  it('says of each whether it is met, by what test, or what is missing', () => {
    for (const { numbers, asks, state, how, tests } of requirements) {
      assert.notEqual(asks, '', numbers);
      assert.ok(['met', 'in part', 'not met', 'n/a'].includes(state), `${numbers}: ${state}`);
      if (state === 'met') assert.ok(tests.length > 0, `${numbers} is met, and nothing shows it`);
      else assert.notEqual(how, '', `${numbers} is ${state}, and nothing says why`);
    }
  });

  it('names tests that exist', () => {
    for (const { numbers, tests } of requirements) {
      for (const test of tests) {
        const [, path = '', title = ''] = /^`([^`]+)`: (.+)$/.exec(test) ?? [];
        assert.notEqual(title, '', `${numbers}: ${test}`);
        assertTest(path, title);
      }
    }
  });

  it('has every advisory that a test is named for, and no other', () => {
    const rows = rowsUnder('Past advisories of others').filter(([advisory]) => advisory !== 'advisory');
    const source = read(advisoriesFile);
    for (const [, , , title = ''] of rows) assertTest(advisoriesFile, title);
    const titles = [...source.matchAll(/\b(?:onRealServers|test)\(\s*'([^']+)',/g)].map(([, title]) => title);
    assert.deepEqual(rows.map(([, , , title]) => title).sort(), titles.sort());

    const identifiers = (text: string) => text.match(/CVE-\d{4}-\d+|GHSA(?:-[0-9a-z]{4}){3}/g) ?? [];
    const listed = rows.flatMap(([advisory = '']) => identifiers(advisory)).sort();
    assert.deepEqual(listed, identifiers(source).sort());
  });
});
