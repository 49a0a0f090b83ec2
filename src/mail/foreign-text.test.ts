import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { foreignAddress, foreignText } from './foreign-text.ts';

/** What mail programs make a link of by themselves: a scheme with something behind it, or a name with a top-level domain. */
const looksLikeLink = /\p{L}[\p{L}\d+.-]*:\S|:\/\/|www\.|[\p{L}\d-][.。．｡]\p{L}{2,}/u;

describe('a text that a stranger chose', () => {
  const scenarios: [text: string, shown: string][] = [
    ['Firefox on Windows', 'Firefox on Windows'],
    ['curl/8.5.0', 'curl/8.5.0'],
    ['Safari 17.4.1 on iOS 17.4', 'Safari 17.4.1 on iOS 17.4'],
    ['192.0.2.17', '192.0.2.17'],
    ['2001:db8:abcd:12::/64', '2001:db8:abcd:12::/64'],
    ['Grace Hopper', 'Grace Hopper'],
    ['Dr. Grace B. Hopper: admiral', 'Dr. Grace B. Hopper: admiral'],
    ['山田 太郎。', '山田 太郎。'],
    ['http://evil.example', 'http[:]//evil[.]example'],
    ['HTTPS://192.0.2.1/a', 'HTTPS[:]//192.0.2.1/a'],
    ['see www.evil.example/x?y=1', 'see www[.]evil[.]example/x?y=1'],
    ['evil.example', 'evil[.]example'],
    ['evil。example', 'evil[.]example'],
    ['mailto:a@evil.example', 'mailto[:]a@evil[.]example'],
    ['tel:+15551234', 'tel[:]+15551234'],
    ['javascript:alert(1)', 'javascript[:]alert(1)'],
    ['//evil.example', '//evil[.]example'],
    ['a\r\nhttp://evil.example\r\n', 'a http[:]//evil[.]example'],
    ['a\u0000\u001b[31mb\u2028c\u2029d', 'a [31mb c d'],
    ['\u202Emoc.live\u202C', 'moc[.]live'],
    ['evil\u200B.\u200Bexample', 'evil . example'],
    ['', ''],
    ['\n', ''],
  ];
  for (const [text, shown] of scenarios) {
    it(JSON.stringify(text), () => {
      assert.equal(foreignText(text), shown);
      if (!text.startsWith('2001:')) assert.doesNotMatch(foreignText(text), looksLikeLink);
    });
  }

  it('is cut after 80 characters, never within one', () => {
    assert.equal(foreignText('x'.repeat(80)), 'x'.repeat(80));
    assert.equal(foreignText('x'.repeat(81)), `${'x'.repeat(79)}…`);
    assert.equal(foreignText('😀'.repeat(100)), `${'😀'.repeat(79)}…`);
  });

  it('takes no longer for being long', () => {
    const begin = performance.now();
    for (const part of ['a', 'a:', 'a.', '\n', 'a-', '. ']) foreignText(part.repeat(500_000));
    assert.ok(performance.now() - begin < 2000);
  });
});

describe('an address', () => {
  const scenarios: [address: string, shown: string][] = [
    ['ada@example.org', 'ada@example.org'],
    ['ada.lovelace+mail@sub.example.org', 'ada.lovelace+mail@sub.example.org'],
    ['www.evil.example/x@example.org', 'www[.]evil[.]example/x@example[.]org'],
    ['evil.example/x@example.org', 'evil[.]example/x@example[.]org'],
    ['a@example.org\r\nBcc: b@example.org', 'a@example[.]org Bcc: b@example[.]org'],
  ];
  for (const [address, shown] of scenarios) {
    it(JSON.stringify(address), () => assert.equal(foreignAddress(address), shown));
  }
});
