import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { simpleParser } from 'mailparser';
import { createTransport } from 'nodemailer';
import { readSettings } from '../settings.ts';
import { createMailRenderer, type Mail, mailKinds, sampleMail } from './index.ts';
import { definitionOf, type MailParams } from './kinds.ts';

const settings = readSettings({ PUBLIC_URL: 'https://accounts.example.com', PRODUCT_NAME: 'Acme & Sons' });
const renderer = createMailRenderer(settings);
const { locales } = renderer;
const sample = (kind: Mail['kind'], locale = 'en') => sampleMail(kind, locale, settings);

/** A mail as nodemailer sends it and a mail client reads it. */
async function receive(mail: Mail, { text, html, subject } = renderer.render(mail)) {
  const transport = createTransport({ streamTransport: true, buffer: true, newline: 'windows' });
  const from = { name: settings.PRODUCT_NAME, address: 'doorward@accounts.example.com' };
  const { message } = await transport.sendMail({ from, to: mail.to, subject, text, html });
  return simpleParser(message as Buffer);
}

/** What a reader of HTML sees, and where its links lead. */
function seen(html: string) {
  const body = html.slice(html.indexOf('<body'));
  return {
    words: body
      .replaceAll(/<[^>]*>/g, ' ')
      .replaceAll(
        /&(lt|gt|amp|#34|#39);/g,
        (_, name) => ({ lt: '<', gt: '>', amp: '&' })[name as 'lt'] ?? '"',
      )
      .replaceAll(/\s+/g, ' '),
    links: [...body.matchAll(/href="([^"]*)"/g)].map(([, target]) => target),
    remote: html.match(/\b(?:src|srcset|background|data|poster)=|url\(|@import|<link/g) ?? [],
  };
}

describe('each mail in each language', () => {
  for (const kind of mailKinds) {
    it(kind, async () => {
      const { hasLink, hasCode, variants } = definitionOf(kind);
      const subjects = new Set<string>();
      for (const locale of locales) {
        const mail = sample(kind, locale);
        const { subject, text, html } = renderer.render(mail);
        const { words, links, remote } = seen(html);
        subjects.add(subject);
        assert.match(html, new RegExp(`<html lang="${locale}" dir="ltr">`));
        assert.equal((html.match(/<h1/g) ?? []).length, 1);

        const isOwnLine = text.split('\n').includes(String(mail.link));
        assert.deepEqual([mail.link !== null, isOwnLine], [hasLink === true, hasLink === true]);
        assert.deepEqual(links, hasLink ? [mail.link, mail.link] : []);
        assert.equal((text.match(/https?:/g) ?? []).length, hasLink ? 1 : 0);
        assert.deepEqual(
          [/^ {4}123 456$/m.test(text), words.includes('123 456')],
          [hasCode, hasCode].map(Boolean),
        );
        assert.deepEqual(remote, []);

        // Nothing is told in one of the two alone.
        for (const line of text.split('\n').filter((one) => one !== '' && one !== '--')) {
          const [label = '', value = ''] = line.split(/(?<=\S)[\u00a0]?[:：] (?=\S)/);
          for (const part of words.includes(line.trim()) ? [] : [label, value]) {
            assert.ok(
              words.includes(
                part
                  .replace(/[\u00a0]?[:：]$/, '')
                  .replaceAll(/\s+/g, ' ')
                  .trim(),
              ),
              `${locale}: ${line}`,
            );
          }
        }
        assert.doesNotMatch(`${subject}${text}${words}`, /\{\{|\}\}|undefined|null|\[object|NaN/);
        assert.doesNotMatch(text, /\n{3}|[^\S\n]\n/);
        const received = await receive(mail);
        assert.deepEqual([received.subject, received.text], [subject, text]);
        assert.equal(received.html, html);
      }
      assert.equal(subjects.size, locales.length);
      assert.equal(variants !== undefined, kind === 'changed_by_administrator' || kind === 'account_deleted');
    });
  }

  it('says what exactly an administrator changed', () => {
    for (const locale of locales) {
      const texts = definitionOf('changed_by_administrator').variants?.map(
        (what) =>
          renderer.render({
            ...sample('changed_by_administrator', locale),
            params: { what, time: '2026-03-05T14:30:00Z' },
          }).text,
      );
      assert.equal(new Set(texts).size, 7, locale);
    }
    const changed = { ...sample('changed_by_administrator'), params: { what: 'email_changed' } };
    assert.match(renderer.render(changed).text, /because your account at Acme & Sons had this email address/);
    const deleted = [true, false].map(
      (by_administrator) =>
        renderer.render({ ...sample('account_deleted'), params: { by_administrator } }).text,
    );
    assert.match(deleted[0] ?? '', /An administrator deleted/);
    assert.doesNotMatch(deleted[1] ?? '', /dministrator/);
  });
});

describe('a mail', () => {
  it('tells times in its language, and in UTC, which it says', () => {
    const timeIn = (locale: string) =>
      /2026.*UTC/.exec(
        renderer.render(sample('password_changed', locale)).text.replaceAll('\u202f', ' '),
      )?.[0];
    const whole = (locale: string) =>
      renderer.render(sample('password_changed', locale)).text.replaceAll('\u202f', ' ');
    assert.match(whole('en'), /^Time: March 5, 2026 at 2:30 PM UTC$/m);
    assert.match(whole('de'), /^Zeitpunkt: 5\. März 2026 um 14:30 UTC$/m);
    assert.match(whole('fr'), /^Date\u00a0: 5 mars 2026 à 14:30 UTC$/m);
    assert.match(whole('es'), /^Fecha: 5 de marzo de 2026(, | a las )14:30 UTC$/m);
    assert.equal(timeIn('ja'), '2026年3月5日 14:30 UTC');
    assert.match(whole('ja'), /^日時： 2026年3月5日/m);
  });

  it('is English in a language that is none', () => {
    for (const locale of ['xx', '', '__proto__', 'de_DE', '../de']) {
      assert.equal(renderer.render(sample('new_device', locale)).subject, 'New login to your account');
    }
    assert.equal(renderer.render(sample('new_device', 'de-AT')).subject, 'Neue Anmeldung mit Ihrem Konto');
  });

  it('names a device in the words of its language, also one that is not known or has no system', () => {
    const deviceIn = (locale: string, params: MailParams) => {
      const { text } = renderer.render({
        ...sample('new_device', locale),
        params: { ...params, time: '2026-03-05T14:30:00Z' },
      });
      return /^(?:Device|Gerät|Appareil|Dispositivo|デバイス)\P{L}*[:：] ?(.*)$/mu.exec(text)?.[1];
    };
    const words: Record<string, readonly [string, string]> = {
      en: ['Firefox on Linux', 'Unknown device'],
      de: ['Firefox unter Linux', 'Unbekanntes Gerät'],
      fr: ['Firefox sous Linux', 'Appareil inconnu'],
      es: ['Firefox en Linux', 'Dispositivo desconocido'],
      ja: ['Linux の Firefox', '不明なデバイス'],
    };
    for (const [locale, [known, unknown]] of Object.entries(words)) {
      assert.equal(deviceIn(locale, { device: 'Firefox', system: 'Linux' }), known);
      assert.equal(deviceIn(locale, { device: null, system: null }), unknown);
      assert.equal(deviceIn(locale, { device: 'curl', system: null }), 'curl');
      // As mails have it that were written down before.
      assert.equal(deviceIn(locale, { device: 'Firefox on Linux' }), 'Firefox on Linux');
    }
  });

  it('leaves out what is not known: no row without a value, no link and no code that is gone', () => {
    const device = renderer.render({
      ...sample('new_device'),
      params: { network: '', time: '2026-03-05T14:30:00Z' },
    });
    assert.doesNotMatch(device.text, /Device:|Network:/);
    assert.match(device.text, /^Time: /m);
    const invitation = renderer.render({ ...sample('invitation'), params: {} });
    assert.doesNotMatch(invitation.html + invitation.text, /Invited by|<table width/);
    const gone = renderer.render({ ...sample('verify_email'), link: null, code: null });
    assert.doesNotMatch(gone.text, /Confirm address|http|until|code/);
    assert.doesNotMatch(gone.html, /href|until|code works/);
    const hidden = renderer.render({ ...sample('verify_email'), link: '…', code: '…' });
    assert.match(hidden.text, /^…$/m);
  });

  it('shows no link and no code in a kind that has none', () => {
    const { text, html } = renderer.render({
      ...sample('password_changed'),
      link: 'https://evil.example/',
      code: '654321',
    });
    assert.doesNotMatch(text + html, /evil|654/);
  });

  it('has the colour of the product, on a button whose text can be read', () => {
    const html = (PRODUCT_COLOR: string) =>
      createMailRenderer(readSettings({ PRODUCT_COLOR })).render(sample('invitation')).html;
    assert.match(html('#ffd400'), /bgcolor="#ffd400".*color: #000000;/);
    assert.match(html('#7a1fa2'), /bgcolor="#7a1fa2".*color: #ffffff;/);
  });

  it('shows the logo, which is all that is ever fetched, with the name in its place where it is not', () => {
    const logo = 'https://cdn.example.com/logo.png?a=1&b="';
    const given = { ...settings, PRODUCT_LOGO_URL: logo };
    const { html, text } = createMailRenderer(given).render(sample('new_device'));
    assert.match(
      html,
      /<img src="https:\/\/cdn\.example\.com\/logo\.png\?a=1&amp;b=&#34;" alt="Acme &amp; Sons"/,
    );
    assert.equal(seen(html).remote.length, 1);
    assert.doesNotMatch(text, /logo/);
  });
});

describe('what strangers choose', () => {
  const bad =
    '"><img src=x onerror=alert(1)><script>\r\n\r\nBcc: all@evil.example\r\nhttp://evil.example/?a&b {{ link }} {% raw %} $t(link.hint)';
  const rows = [
    ['new_device', 'device'],
    ['new_device', 'system'],
    ['new_device', 'network'],
    ['session_reused', 'device'],
    ['change_email', 'new_email'],
    ['email_changed', 'new_email'],
    ['email_restored', 'email'],
    ['invitation', 'inviter'],
  ] as const;

  for (const [kind, name] of rows) {
    it(`${kind}, ${name}: is escaped, one line, and no link`, async () => {
      for (const locale of locales) {
        const mail = sample(kind, locale);
        const plain = renderer.render(mail);
        const content = renderer.render({ ...mail, params: { ...mail.params, [name]: bad } });
        assert.equal(content.subject, plain.subject);
        assert.equal(content.text.split('\n').length, plain.text.split('\n').length);
        assert.equal(
          (content.text.match(/https?:/g) ?? []).length,
          (plain.text.match(/https?:/g) ?? []).length,
        );
        assert.doesNotMatch(content.html, /<img|<script|onerror=alert\(1\)>/);
        assert.equal(content.html.split('<').length, plain.html.split('<').length);
        assert.doesNotMatch(content.text + content.html, /evil\.example/);
        const received = await receive(mail, content);
        assert.deepEqual([...received.headers.keys()].sort(), [
          'content-type',
          'date',
          'from',
          'message-id',
          'mime-version',
          'subject',
          'to',
        ]);
      }
    });
  }

  it('never changes a mail but in its own row, whatever it is', () => {
    const mail = sample('new_device');
    const rest = (device: string) => {
      const { text, html, subject } = renderer.render({ ...mail, params: { ...mail.params, device } });
      return [
        subject,
        text.split('\n').filter((line) => !/^Device:/.test(line)),
        html.replace(/(Device<\/th><td[^>]*>)[^<]*/, '$1'),
      ];
    };
    const plain = rest('x');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }), (device) => {
        const shown = rest(`x${device}`);
        assert.deepEqual(shown, plain);
      }),
    );
  });

  it('is not in the subject, whatever the parameters are called', () => {
    for (const kind of mailKinds) {
      const params = Object.fromEntries(
        [
          'product',
          'device',
          'network',
          'new_email',
          'email',
          'inviter',
          'name',
          'subject',
          'kind',
          'defaultValue',
          'lng',
          'context',
          'count',
          'replace',
        ].map((name) => [name, 'Intruder']),
      );
      const mail = sample(kind);
      const { subject } = renderer.render({
        ...mail,
        to: 'intruder@example.com',
        params: { ...params, ...mail.params },
      });
      assert.equal(subject, renderer.render(mail).subject);
    }
  });
});
