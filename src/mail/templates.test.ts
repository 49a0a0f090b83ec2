import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readSettings, SettingsError } from '../settings.ts';
import { createMailRenderer, type Mail, sampleMail } from './index.ts';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'doorward-mail-'));
  await writeFile(join(root, 'secret.txt'), 'hunter2');
});
after(() => rm(root, { recursive: true }));

/** A folder with these files, and what makes mails from it. */
async function own(files: Record<string, string>) {
  const folder = await mkdtemp(join(root, 'own-'));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  const settings = readSettings({ MAIL_TEMPLATES: folder });
  const create = () => createMailRenderer(settings);
  return {
    folder,
    create,
    render: (kind: Mail['kind'], { locale = 'en', ...changes }: Partial<Mail> = {}) =>
      create().render({ ...sampleMail(kind, locale, settings), ...changes }),
  };
}

/** Creating it fails with one line that begins with the setting and the file. */
async function refuses(files: Record<string, string>, name: string, fault: RegExp) {
  const { folder, create } = await own(files);
  assert.throws(create, (error) => {
    assert.ok(error instanceof SettingsError);
    assert.equal(error.lines.length, 1);
    const [line = ''] = error.lines;
    const path = join(folder, name);
    assert.ok(line.startsWith(`MAIL_TEMPLATES: ${path}: `), line);
    assert.match(line.slice(`MAIL_TEMPLATES: ${path}: `.length), fault);
    assert.doesNotMatch(line, /[\p{C}]/u);
    return true;
  });
}

describe('templates of the operator', () => {
  it('come before the built-in ones, each alone', async () => {
    const { render } = await own({ 'layout.html': '<h1>{{ subject }}</h1>{{ happened }}' });
    const { html, text } = render('already_registered');
    assert.match(html, /^<h1>You already have an account<\/h1>Somebody entered/);
    assert.match(text, /^Doorward\n\nYou already have an account\n/);
  });

  it('are for one kind, or for all', async () => {
    const { render } = await own({
      'invitation.html': '<p>Come, {{ to }}: <a href="{{ link }}">{{ button }}</a></p>',
      'invitation.txt': 'Come: {{ link }}\n',
    });
    const { html, text } = render('invitation');
    assert.match(html, /^<p>Come, ada@example\.com: <a href="http[^"]*\/invitation#token=[\w-]+">Accept/);
    assert.match(text, /^Come: http\S+\n$/);
    assert.match(render('verify_email').html, /^<!doctype html>/);
  });

  it('can fill the block of our layout, or share a part', async () => {
    const { render } = await own({
      'email_login.html':
        "{% layout 'layout.html' %}{% block content %}<p>Mine: {{ link }}{% render 'imprint.html', product: product %}</p>{% endblock %}",
      'imprint.html': '<i>{{ product }} Ltd.</i>',
    });
    const { html } = render('email_login');
    assert.match(html, /<h1[^>]*>Log in to Doorward<\/h1>\n<p>Mine: http\S+<i>Doorward Ltd\.<\/i><\/p>/);
    assert.doesNotMatch(html, /Somebody asked/);
  });

  it('are given the parameters, cleaned, and always escape them in HTML', async () => {
    const { render } = await own({
      'new_device.html': '{{ params.device }}|{{ params.device | upcase }}|{% echo params.device %}',
      'new_device.txt': '{{ params.device }}',
    });
    const params = { device: '<b>\r\nhttp://evil.example', network: null, time: '2026-03-05T14:30:00Z' };
    const { html, text } = render('new_device', { params });
    assert.equal(
      html,
      '&lt;b&gt; http[:]//evil[.]example|&lt;B&gt; HTTP[:]//EVIL[.]EXAMPLE|&lt;b&gt; http[:]//evil[.]example',
    );
    assert.equal(text, '<b> http[:]//evil[.]example\n');
  });

  it('cannot read a file, in the folder or outside', async () => {
    for (const tag of ['include', 'render', 'layout']) {
      for (const name of [
        '../secret.txt',
        '/etc/passwd',
        join(root, 'secret.txt'),
        'messages/de.json',
        'constructor',
        '__proto__',
        '.',
      ]) {
        const file = { 'layout.html': `{% ${tag} '${name}' %}`, 'messages/de.json': '{}' };
        await refuses(file, 'layout.html', /ENOENT|Failed to lookup|cannot be found/);
      }
    }
  });

  it('cannot run code, nor reach what a value inherits', async () => {
    const { render } = await own({
      'layout.txt':
        '[{% if subject.constructor %}{{ subject.constructor.constructor }}{% endif %}{% if colors.__proto__ %}x{% endif %}{% if params.constructor %}y{% endif %}]',
    });
    assert.equal(render('already_registered').text, '[]\n');
    await refuses({ 'layout.txt': '{{ subject.constructor }}' }, 'layout.txt', /undefined variable/);
    await refuses({ 'layout.txt': '{{ process.env }}' }, 'layout.txt', /undefined variable: process/);
  });

  it('cannot go on for ever', async () => {
    const loop = '{% for i in (1..1000000000) %}x{% endfor %}';
    await refuses({ 'layout.txt': loop }, 'layout.txt', /limit exceeded/);
    await refuses({ 'layout.txt': "{% include 'layout.txt' %}" }, 'layout.txt', /call stack|limit exceeded/);
  });

  it('stop the start when they do not parse, or name what does not exist', async () => {
    await refuses({ 'invitation.html': '\n{% if link %}' }, 'invitation.html', /not closed.*line:2/);
    await refuses({ 'layout.txt': '{{ subject | shout }}' }, 'layout.txt', /undefined filter: shout/);
    await refuses({ 'layout.html': '{{ subject | raw }}' }, 'layout.html', /undefined filter: raw/);
    await refuses({ 'layout.html': '{{ subjekt }}' }, 'layout.html', /undefined variable: subjekt/);
    await refuses({ 'layout.html': '{% php %}' }, 'layout.html', /tag "php" not found/);
    await refuses({ 'part.html': '{% for %}' }, 'part.html', /./);
    await refuses({ 'layout.html/x': '' }, 'layout.html', /^cannot be read \(EISDIR\)$/);
  });

  it('stop the start when their folder is none', async () => {
    for (const [folder, code] of [
      [join(root, 'nothing'), 'ENOENT'],
      [join(root, 'secret.txt'), 'ENOTDIR'],
    ] as const) {
      assert.throws(() => createMailRenderer(readSettings({ MAIL_TEMPLATES: folder })), {
        name: 'SettingsError',
        message: `MAIL_TEMPLATES: ${folder}: cannot be read (${code})`,
      });
    }
  });
});

describe('messages of the operator', () => {
  it('come before ours, one by one', async () => {
    const { render } = await own({
      'messages/en.json': '\u{feff}{"invitation": {"subject": "Come in to {{product}}"}}',
    });
    const { subject, text } = render('invitation');
    assert.equal(subject, 'Come in to Doorward');
    assert.match(text, /To accept, open the invitation/);
  });

  it('can be a new language, which is English where it says nothing', async () => {
    const { create, render } = await own({
      'messages/ar.json':
        '{"already_registered": {"subject": "لديك حساب بالفعل"}, "details": {"time": "الوقت"}}',
    });
    const renderer = create();
    assert.deepEqual(renderer.locales, ['ar', 'de', 'en', 'es', 'fr', 'ja']);
    assert.equal(renderer.chooseLocale(null, 'ar-EG, de;q=0.5'), 'ar');
    const { subject, html } = render('already_registered', { locale: 'ar' });
    assert.equal(subject, 'لديك حساب بالفعل');
    assert.match(html, /<html lang="ar" dir="rtl">/);
    assert.match(html, /If that was you, log in as usual/);
    assert.match(render('password_changed', { locale: 'ar' }).html, /align="right"[^>]*>الوقت/);
    assert.ok(renderer.missingMessages('ar').includes('already_registered.to_do'));
    assert.ok(!renderer.missingMessages('ar').includes('already_registered.subject'));
    assert.deepEqual(renderer.missingMessages('de'), []);
  });

  it('cannot put a line break into a subject', async () => {
    const { render } = await own({
      'messages/en.json': JSON.stringify({
        invitation: { subject: 'A\r\nBcc: all@example.com\u0000\u2028 {{ product }}' },
      }),
    });
    assert.equal(render('invitation').subject, 'A Bcc: all@example.com Doorward');
  });

  it('stop the start when they are not messages of ours', async () => {
    const one = (content: string, fault: RegExp, name = 'messages/de.json') =>
      refuses({ [name]: content }, name, fault);
    await one('{', /^is not JSON$/);
    await one('[]', /^all of it must be a text or an object of texts$/);
    await one('{"details": {"device": 1}}', /^details\.device must be a text/);
    await one('{"details": {"device": ""}}', /^details\.device must be a text/);
    await one('{"details": {"devise": "Gerät"}}', /^there is no message details\.devise$/);
    await one('{"__proto__": {"device": "x"}}', /^there is no message __proto__\.device$/);
    await one(
      '{"invitation": {"subject": "{{inviter}}"}}',
      /^invitation\.subject cannot have \{\{inviter\}\}$/,
    );
    await one('{"details": {"device": "{{device}}"}}', /^details\.device cannot have/);
    await one('{}', /^the name must be a language tag/, 'messages/german.language.json');
    await one('{}', /^the name must be a language tag/, 'messages/pt-br.json');
    await refuses({ messages: '' }, 'messages', /^cannot be read \(ENOTDIR\)$/);
  });
});
