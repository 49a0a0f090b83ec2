import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseEmailAddress } from './email-address.ts';

const key = (text: string) => parseEmailAddress(text)?.email_key;

test('addresses that the reference accepts', () => {
  const accepted: [text: string, email: string, email_key: string][] = [
    ['test@example.com', 'test@example.com', 'test@example.com'],
    ['  Test.User+tag@Example.COM\n', 'Test.User+tag@Example.COM', 'test.user+tag@example.com'],
    ['a@b.co', 'a@b.co', 'a@b.co'],
    [
      "o'hara_1!#$%&*=/?^`{|}~-@sub.example.org",
      "o'hara_1!#$%&*=/?^`{|}~-@sub.example.org",
      "o'hara_1!#$%&*=/?^`{|}~-@sub.example.org",
    ],
    ['Jörg@BÜCHER.example', 'Jörg@BÜCHER.example', 'jörg@xn--bcher-kva.example'],
    ['Jörg@xn--bcher-kva.example', 'Jörg@xn--bcher-kva.example', 'jörg@xn--bcher-kva.example'],
    ['Jo\u0308rg@example.com', 'Jörg@example.com', 'jörg@example.com'],
    ['用户@例子.广告', '用户@例子.广告', '用户@xn--fsqu00a.xn--4rr70v'],
  ];
  for (const [text, email, email_key] of accepted) {
    assert.deepEqual(parseEmailAddress(text), { email, email_key }, text);
  }
});

test('texts that are no address', () => {
  const refused = [
    ...['', ' ', 'plain', '@example.com', 'a@', 'a@b', 'a@@example.com', 'a b@example.com', 'a@exa mple.com'],
    ...[
      'a@example..com',
      '.a@example.com',
      'a.@example.com',
      'a..b@example.com',
      'a@-example.com',
      'a@example.com.',
    ],
    ...[
      'A <a@example.com>',
      '"a b"@example.com',
      '"a"@example.com',
      'a@[127.0.0.1]',
      'a@127.0.0.1',
      'a@0x7f.1',
    ],
    ...[
      'a@localhost',
      'a@host.local',
      'a@x.test',
      'a@x.invalid',
      'a@x.onion',
      'a@1.in-addr.arpa',
      'a@X.TEST',
    ],
    ...[
      'a@example.com/x',
      'a@example.com?x',
      'a@example.com#x',
      'a@example.com:25',
      'a@ex%61mple.com',
      'a@x\\y.com',
    ],
    ...['a@exa\tmple.com', 'a@example\n.com', 'a\0@example.com', 'a@example.com\0', 'a\u200b@example.com'],
    ...['a\ud800@example.com', 'a@exa\u00admple.com', 'a@xn--.com', 'a@exam_ple.com', '\u0301a@example.com'],
    ...[`${'a'.repeat(65)}@example.com`, `a@${'b'.repeat(64)}.com`, `a@${'b.'.repeat(130)}com`],
    ...[
      'a'.repeat(16_384),
      `${'a.'.repeat(8000)}@example.com`,
      '@'.repeat(16_384),
      `a@${'-'.repeat(16_384)}`,
    ],
  ];
  for (const text of refused)
    assert.equal(parseEmailAddress(text), undefined, JSON.stringify(text.slice(0, 60)));
});

test('the key makes one account of case variants, and of nothing more', () => {
  assert.equal(key('ΟΔΟΣ@example.com'), key('οδος@example.com'));
  assert.equal(key('TEST@EXAMPLE.COM'), key('test@example.com'));
  assert.notEqual(key('ıvan@example.com'), key('ivan@example.com'));
  assert.notEqual(key('straße@example.com'), key('strasse@example.com'));
  assert.notEqual(key('ﬁ@example.com'), key('fi@example.com'));
  assert.notEqual(key('a@example.com'), key('a@example.org'));
});

test('the key of a key is the key, for anything that is an address', () => {
  const localPart = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
  const domain = fc.oneof(
    fc.domain(),
    fc.constantFrom('BÜCHER.example', '例子.广告', 'faß.de', 'İstanbul.example'),
  );
  fc.assert(
    fc.property(localPart, domain, (local, host) => {
      const parsed = parseEmailAddress(`${local}@${host}`);
      if (parsed === undefined) return;
      assert.equal(key(parsed.email), parsed.email_key);
      assert.equal(key(parsed.email_key), parsed.email_key);
      assert.equal(
        key(parsed.email.replaceAll(/[a-z]/g, (letter) => letter.toUpperCase())),
        parsed.email_key,
      );
    }),
    { numRuns: 2000 },
  );
});

test('any text is answered, and what is an address has no white space around it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const parsed = parseEmailAddress(text);
      assert.ok(parsed === undefined || parsed.email === parsed.email.trim());
    }),
  );
});
