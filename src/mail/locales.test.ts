import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseLocale } from './locales.ts';

const locales = ['de', 'en', 'es', 'fr', 'ja', 'pt-BR', 'zh-Hant'];

describe('the language of a mail', () => {
  const scenarios: [preferred: string | null, acceptLanguage: string | null, chosen: string][] = [
    [null, null, 'en'],
    [null, '', 'en'],
    ['fr', 'de', 'fr'],
    ['fr-CA', 'de', 'fr'],
    ['nl', 'de', 'de'],
    ['', 'de', 'de'],
    [null, 'de-AT', 'de'],
    [null, 'DE-at', 'de'],
    [null, 'de-AT, fr;q=0.9', 'de'],
    [null, 'fr;q=0.8, de;q=0.9', 'de'],
    [null, 'nl, ja;q=0.2', 'ja'],
    [null, 'fr;q=0, de;q=0.1', 'de'],
    [null, 'fr;q=0', 'en'],
    [null, '*', 'en'],
    [null, '*, de;q=0.5', 'de'],
    [null, 'nl, *;q=0.5', 'en'],
    [null, 'de ; q=0.3 , es ; q=1.0', 'es'],
    [null, 'pt-br', 'pt-BR'],
    // Lookup only shortens: what is more special than what was asked for is not it.
    [null, 'pt, de;q=0.1', 'de'],
    [null, 'zh-Hant-TW', 'zh-Hant'],
    [null, 'de-x-private', 'de'],
    [null, 'de;q=2, fr;q=0.1', 'fr'],
    [null, 'de;q=0.1234, fr;q=0.1', 'fr'],
    [null, ';;;,=,q=1,\u0000', 'en'],
    ['__proto__', 'constructor', 'en'],
  ];
  for (const [preferred, acceptLanguage, chosen] of scenarios) {
    it(`${preferred} and ${JSON.stringify(acceptLanguage)}: ${chosen}`, () => {
      assert.equal(chooseLocale(locales, preferred, acceptLanguage), chosen);
    });
  }

  it('is found in no time in a header that means harm', () => {
    const begin = performance.now();
    for (const header of [
      `${'a-'.repeat(100_000)}b`,
      `${'de;q='.repeat(50_000)}`,
      `de${' '.repeat(100_000)};`,
    ]) {
      chooseLocale(locales, header, header);
    }
    assert.ok(performance.now() - begin < 500);
  });
});
