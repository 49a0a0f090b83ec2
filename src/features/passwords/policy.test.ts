import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type PasswordPolicy, passwordIssues } from './policy.ts';

const owner = { email: 'Ada.Lovelace99!@example.com', name: 'Ada King, Countess 1815' };
const loc = ['body', 'password'];

function messages(password: string, policy: PasswordPolicy, who = owner): string[] {
  return passwordIssues(password, { ...who, policy }, loc).map((issue) => issue.msg);
}

const upper = 'Value error, Password must contain at least one uppercase letter';
const lower = 'Value error, Password must contain at least one lowercase letter';
const digit = 'Value error, Password must contain at least one digit';
const special = 'Value error, Password must contain at least one special character';
const common = 'Value error, Password is too common';
const own = 'Value error, Password must not be the email or the name';
const short = 'String should have at least 15 characters';

describe('composition', () => {
  const cases: readonly (readonly [password: string, expected: string | undefined])[] = [
    // The passwords of the reference's own tests.
    ['SecurePass123!', undefined],
    ['AnotherPass123!', undefined],
    ['WrongPassword!', digit],
    // The first broken rule alone, in the reference's order.
    ['        ', upper],
    ['lowercase', upper],
    ['UPPERCASE', lower],
    ['NoDigits', digit],
    ['NoSpecial1', special],
    // Letters are ASCII, digits are of any script, as in Python's re.
    ['Éclair-é1!', upper],
    ['ÉÉÉÉé111!', upper],
    ['AÉÉÉÉé11!', lower],
    ['Abcdefg!٣', undefined],
    ['Abcdefg!½', digit],
    // Only the listed special characters count.
    ['Abcdefg1-', special],
    ['Abcdefg1_', special],
    ['Abcdefg1 ', special],
    // Composition alone does not make a password good.
    ['P@ssw0rd', common],
    ['Pa$$w0rd', common],
    ['!QAZ2wsx', common],
    ['Ada.Lovelace99!', own],
    ['aDA.lOVELACE99!', own],
    ['ada.Lovelace99!@EXAMPLE.com', own],
    ['Ada king, Countess 1815', own],
    ['Ada.Lovelace99!@', undefined],
    ['Ada.Lovelace99!x', undefined],
  ];
  for (const [password, expected] of cases) {
    test(password, () => {
      assert.deepEqual(messages(password, 'composition'), expected === undefined ? [] : [expected]);
    });
  }

  for (const character of '!@#$%^&*(),.?":{}|<>') {
    test(`${character} is a special character`, () => {
      assert.deepEqual(messages(`Abcdefg1${character}`, 'composition'), []);
    });
  }
});

describe('nist', () => {
  const cases: readonly (readonly [password: string, expected: string | undefined])[] = [
    ['SecurePass123!', short],
    ['fourteen chars', short],
    ['fifteen letters', undefined],
    ['🦊'.repeat(14), short],
    ['🦊 a fox, a foxy', undefined],
    // 15 code points as typed, 14 in the form that is hashed.
    ['e\u0301aaaaaaaaaaaaa', short],
    ['qwerty123456789', common],
    ['PasswordPassword', common],
    // Length that comes by itself.
    ['a'.repeat(15), common],
    ['🦊'.repeat(15), common],
    ['abcabcabcabcabca', common],
    ['Ilove14Ilove14Ilove14', common],
    ['ILoveYouiloveyouI', common],
    ['123456789012345', common],
    ['abcdefghijklmno', common],
    ['ponmlkjihgfedcba', common],
    ['good dog good dog ', undefined],
    ['abcdefghijklmnp', undefined],
    ['correct horse battery staple', undefined],
    ['ada king, countess 1815', own],
    ['ADA.LOVELACE99!', own],
    ['ada.lovelace99!@example.com', own],
  ];
  for (const [password, expected] of cases) {
    test(password, () => {
      assert.deepEqual(messages(password, 'nist'), expected === undefined ? [] : [expected]);
    });
  }
});

test('the shape of an issue is that of pydantic', () => {
  assert.deepEqual(passwordIssues('lowercase', { ...owner, policy: 'composition' }, loc), [
    {
      type: 'value_error',
      loc,
      msg: upper,
      ctx: { error: 'Password must contain at least one uppercase letter' },
    },
  ]);
  assert.deepEqual(passwordIssues('too short', { ...owner, policy: 'nist' }, loc), [
    { type: 'string_too_short', loc, msg: short, ctx: { min_length: 15 } },
  ]);
});

test('the email or the name in the other Unicode form is still the email or the name', () => {
  const who = { email: 'a@example.com', name: 'Zo\u00eb Andr\u00e9-Dupont 7!' };
  assert.deepEqual(messages('Zoe\u0308 Andre\u0301-Dupont 7!', 'composition', who), [own]);
});

test('an empty name or an email without a local part refuses nothing', () => {
  assert.deepEqual(messages('SecurePass123!', 'composition', { email: '', name: '' }), []);
});

test('there is never more than one issue, it never repeats the password, and both Unicode forms get the same', () => {
  const password = fc.string({ unit: 'grapheme', minLength: 8, maxLength: 40 });
  fc.assert(
    fc.property(password, fc.constantFrom<PasswordPolicy>('composition', 'nist'), (typed, policy) => {
      const issues = passwordIssues(typed, { ...owner, policy }, loc);
      assert.ok(issues.length <= 1);
      assert.ok(!JSON.stringify(issues).includes(JSON.stringify(typed).slice(1, -1)));
      assert.deepEqual(messages(typed.normalize('NFC'), policy), messages(typed.normalize('NFD'), policy));
    }),
  );
});

test('composition accepts exactly what has all four kinds of character', () => {
  const character = fc.constantFrom(...'AZazé09٣!<-_ \u00c9');
  fc.assert(
    fc.property(fc.array(character, { minLength: 8, maxLength: 12 }), (characters) => {
      const has = (kind: string) => characters.some((one) => kind.includes(one));
      const accepted = has('AZ') && has('az') && has('09٣') && has('!<');
      assert.equal(messages(characters.join(''), 'composition').length === 0, accepted);
    }),
  );
});
