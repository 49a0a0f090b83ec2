import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { failures } from '../../src/errors.ts';

const folder = new URL('../../console/src/messages/', import.meta.url);
const languages = readdirSync(folder).sort();
const namespaces = readdirSync(new URL('en/', folder)).sort();

interface Texts {
  [key: string]: string | Texts;
}

/** The texts of a file by their whole keys, the forms of a plural under one. */
function readTexts(language: string, namespace: string): Map<string, Map<string, string>> {
  const texts = new Map<string, Map<string, string>>();
  const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories.join('|');
  // A key that ends like a plural is one only if it has the form that every language has.
  const plural = new RegExp(`^(.+)_(${forms})$`);
  function add(group: Texts, path: string): void {
    for (const [key, value] of Object.entries(group)) {
      const [, base, form] = plural.exec(key) ?? [];
      const isPlural = base !== undefined && `${base}_other` in group;
      const name = `${path}${isPlural ? base : key}`;
      if (typeof value === 'object') add(value, `${path}${key}.`);
      else texts.set(name, (texts.get(name) ?? new Map()).set(isPlural ? form : '', value));
    }
  }
  add(JSON.parse(readFileSync(new URL(`${language}/${namespace}`, folder), 'utf8')), '');
  return texts;
}

const placeholdersOf = (text: string, ignored: string[]) =>
  new Set(text.match(/\{\{[^}]*\}\}|<\/?\w+\/?>/g)?.filter((found) => !ignored.includes(found)));

test('there are the five languages of the mails, each with every namespace', () => {
  const ofMails = readdirSync(new URL('../../src/mail/messages/', import.meta.url));
  assert.deepEqual(
    languages.map((language) => `${language}.json`),
    ofMails.filter((file) => file.endsWith('.json')).sort(),
  );
  for (const language of languages)
    assert.deepEqual(readdirSync(new URL(`${language}/`, folder)).sort(), namespaces);
});

test('whatever may fail for a person at a page is told in their language', () => {
  // What programs alone can do wrong, and what has no page.
  const unmet = new Set([
    'bad_request',
    'not_found',
    'method_not_allowed',
    'unsupported_media_type',
    'header_fields_too_large',
    'invalid_client',
    'service_not_found',
    'service_name_taken',
    'key_not_found',
  ]);
  const told = readTexts('en', 'shared.json');
  const untold = Object.keys(failures).filter((code) => !unmet.has(code) && !told.has(`failures.${code}`));
  assert.deepEqual(untold, []);
});

test('what is said where no mails are sent is another form of a text', () => {
  for (const namespace of namespaces) {
    const texts = readTexts('en', namespace);
    for (const key of texts.keys())
      if (key.endsWith('_kept')) assert.ok(texts.has(key.replace(/_kept$/, '')), key);
  }
});

for (const namespace of namespaces) {
  test(`${namespace}: every language has the same keys and placeholders, its own plurals, and no empty text`, () => {
    const english = readTexts('en', namespace);
    for (const language of languages) {
      const texts = readTexts(language, namespace);
      assert.deepEqual([...texts.keys()].sort(), [...english.keys()].sort(), language);
      const categories = new Intl.PluralRules(language).resolvedOptions().pluralCategories.sort();
      for (const [key, forms] of texts) {
        const [, expected] = [...(english.get(key) ?? [])].at(-1) ?? [];
        const isPlural = english.get(key)?.has('other');
        assert.deepEqual([...forms.keys()].sort(), isPlural ? categories : [''], `${language} ${key}`);
        for (const [form, text] of forms) {
          assert.notEqual(text.trim(), '', `${language} ${key}`);
          // One of something can be said without its number.
          const ignored = form === 'one' ? ['{{count}}'] : [];
          assert.deepEqual(
            placeholdersOf(text, ignored),
            placeholdersOf(expected ?? '', ignored),
            `${language} ${key}`,
          );
        }
      }
    }
  });
}
