import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { definitionOf, mailKinds, messageKeys } from './kinds.ts';
import { builtInMessages, createTranslator, placeholdersOf, readCatalogue } from './messages.ts';

const catalogue = readCatalogue(builtInMessages);
const english = catalogue.get('en');
assert.ok(english);

describe('the messages', () => {
  it('are there in five languages', () => {
    assert.deepEqual([...catalogue.keys()], ['de', 'en', 'es', 'fr', 'ja']);
  });

  for (const [locale, messages] of catalogue) {
    it(`are in ${locale} those that a mail shows: none is missing, none superfluous`, () => {
      assert.deepEqual([...messages.keys()].sort(), [...messageKeys.keys()]);
    });

    it(`have in ${locale} the placeholders of the English ones`, () => {
      for (const [key, message] of messages) {
        assert.deepEqual(placeholdersOf(message), placeholdersOf(english.get(key) ?? ''), key);
      }
    });

    it(`are in ${locale} clean text in one line`, () => {
      for (const [key, message] of messages) {
        assert.doesNotMatch(message, /[\p{C}\p{Zl}\p{Zp}<>]|\$t\(| {2}|^\s|\s$|"/u, key);
      }
    });
  }

  it('name in subjects nothing but the product, which is a setting', () => {
    for (const kind of mailKinds) assert.deepEqual(messageKeys.get(`${kind}.subject`), ['product']);
  });

  it('have no placeholder for anything that a user chooses, but for what stands in the table', () => {
    const chosen = ['device', 'browser', 'system', 'network', 'new_email', 'email', 'inviter', 'name', 'to'];
    for (const [key, placeholders] of messageKeys) {
      if (key === 'device.on') continue;
      assert.deepEqual(
        placeholders.filter((name) => chosen.includes(name)),
        [],
        key,
      );
    }
  });

  it('differ between the kinds: no two have one subject or one thing that happened', () => {
    for (const [locale, messages] of catalogue) {
      const subjects = mailKinds.map((kind) => messages.get(`${kind}.subject`));
      const happened = [...messages].filter(([key]) => /\.happened/.test(key)).map(([, message]) => message);
      for (const texts of [subjects, happened]) assert.equal(new Set(texts).size, texts.length, locale);
    }
  });

  it('put in texts as they are, and do not read them again', () => {
    const { translate } = createTranslator([catalogue]);
    const product = '$t(link.hint) {{expires}} &<b>';
    const text = translate('de')('reset_password.happened', { product, expires: 'secret' });
    assert.equal(text, `Für Ihr Konto bei ${product} wurde ein neues Passwort angefordert.`);
  });

  it('are English where a language lacks one, and an error where English does', () => {
    const { translate } = createTranslator([catalogue, new Map([['nl', new Map()]])]);
    assert.equal(translate('nl')('details.device'), 'Device');
    assert.throws(() => translate('nl')('details.none'), /there is no message details\.none/);
    assert.throws(() => translate('nl')('details'), /there is no message details/);
  });

  it('exist for each variant of what happened', () => {
    for (const kind of mailKinds) {
      const { variants, variant } = definitionOf(kind);
      assert.equal(variants === undefined, variant === undefined);
    }
  });
});
