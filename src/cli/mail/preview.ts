import type { Command } from 'commander';
import type { MailKind, MailRenderer } from '../../mail/index.ts';
import { assertNamed, CommandError, UsageError } from '../failures.ts';
import { print, printable } from '../output.ts';

const formats = ['text', 'html', 'subject'] as const;

interface PreviewOptions {
  kind?: string;
  language?: string;
  format?: string;
  out?: string;
}

export function addPreview(mail: Command): void {
  mail
    .command('preview')
    .description('Show mails with made-up content, as the settings and templates of your own make them.')
    .option('--kind <kind>', 'Print this mail. Without it, list the kinds and languages there are.')
    .option('--language <language>', 'With --kind: in this language; en unless given.')
    .option('--format <format>', `With --kind: ${formats.join(', ')}; text unless given.`)
    .option(
      '--out <folder>',
      'Write every mail in every language into this folder, with an index.html to look at them.',
    )
    .addHelpText('after', '\nNothing is sent, and no database is needed.')
    .action(async (options: PreviewOptions) => {
      const { kind, language, format, out } = options;
      assertNamed('folder', out);
      if (out !== undefined && (kind ?? language ?? format) !== undefined)
        throw new UsageError('--out writes every mail: it takes no --kind, --language or --format');
      if (kind === undefined && (language ?? format) !== undefined)
        throw new UsageError('--language and --format are for --kind');
      const { mailKinds } = await import('../../mail/index.ts');
      const chosenKind = mailKinds.find((known) => known === kind);
      if (kind !== undefined && chosenKind === undefined)
        throw new UsageError(`--kind must be one of ${mailKinds.join(', ')}`);
      const chosenFormat = formats.find((known) => known === (format ?? 'text'));
      if (chosenFormat === undefined) throw new UsageError(`--format must be one of ${formats.join(', ')}`);

      const { renderer, render } = await openRenderer();
      const chosenLanguage = language ?? 'en';
      if (!renderer.locales.includes(chosenLanguage))
        throw new UsageError(`--language must be one of ${renderer.locales.join(', ')}`);
      if (out !== undefined) return writeAll(out, renderer, render);
      if (chosenKind === undefined) return list(mailKinds, renderer);
      await print(render(chosenKind, chosenLanguage)[chosenFormat].replace(/\n$/, ''));
    });
}

async function openRenderer() {
  const { readEnvironment } = await import('../environment.ts');
  const { readSettings } = await import('../../settings.ts');
  const { createMailRenderer, sampleMail } = await import('../../mail/index.ts');
  const settings = readSettings(readEnvironment().given);
  const renderer = createMailRenderer(settings);
  return {
    renderer,
    render: (kind: MailKind, language: string) => renderer.render(sampleMail(kind, language, settings)),
  };
}

type Render = Awaited<ReturnType<typeof openRenderer>>['render'];

async function list(kinds: readonly MailKind[], { locales, missingMessages }: MailRenderer): Promise<void> {
  await print(`Kinds: ${kinds.join(', ')}`);
  await print(`Languages: ${locales.join(', ')}`);
  for (const locale of locales) {
    const missing = missingMessages(locale);
    if (missing.length > 0) await print(`In ${locale} these are English: ${missing.join(', ')}`);
  }
}

async function writeAll(folder: string, { locales }: MailRenderer, render: Render): Promise<void> {
  const { mkdir, writeFile } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const { mailKinds } = await import('../../mail/index.ts');
  const files = new Map<string, string>();
  for (const kind of mailKinds) {
    for (const locale of locales) {
      const { html, text, subject } = render(kind, locale);
      files.set(`${kind}.${locale}.html`, html);
      files.set(`${kind}.${locale}.txt`, `Subject: ${subject}\n\n${text}`);
    }
  }
  files.set('index.html', indexOf(mailKinds, locales));
  try {
    await mkdir(folder, { recursive: true });
    for (const [name, content] of files) await writeFile(join(folder, name), content);
  } catch (error) {
    const cause = error instanceof Error && 'code' in error ? error.code : error;
    throw new CommandError(`${folder} cannot be written (${cause})`);
  }
  await print(`Wrote ${files.size} files; open ${printable(join(folder, 'index.html'))}`);
}

/** Names of kinds and languages are file names, and hold nothing that HTML reads otherwise. */
function indexOf(kinds: readonly MailKind[], locales: readonly string[]): string {
  const cell = (kind: string, locale: string) =>
    `<td><a href="${kind}.${locale}.html" target="mail">HTML</a> <a href="${kind}.${locale}.txt" target="mail">text</a></td>`;
  const row = (kind: string) =>
    `<tr><th scope="row">${kind}</th>${locales.map((locale) => cell(kind, locale)).join('')}</tr>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mails</title>
<style>
:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
th, td { padding: 4px 12px; text-align: start; white-space: nowrap; }
iframe { width: 100%; height: 900px; border: 1px solid gray; }
</style>
<table>
<tr><th></th>${locales.map((locale) => `<th scope="col">${locale}</th>`).join('')}</tr>
${kinds.map(row).join('\n')}
</table>
<iframe name="mail" title="The mail" src="${kinds[0]}.${locales.includes('en') ? 'en' : locales[0]}.html"></iframe>
</html>
`;
}
