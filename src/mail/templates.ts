import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Liquid } from 'liquidjs';
import { SettingsError } from '../settings.ts';
import type { MailKind } from './kinds.ts';

export type TemplateFormat = 'html' | 'text';

const extensions = { html: '.html', text: '.txt' } as const;

const builtInTemplates = join(import.meta.dirname, 'templates');

export interface Templates {
  /** Fills in the template of the kind, or else the layout. */
  render(kind: MailKind, format: TemplateFormat, values: object): string;
  /** The same, but a variable that does not exist is an error. @throws SettingsError naming the file. */
  check(kind: MailKind, format: TemplateFormat, values: object): void;
  /** Whether the kind's template is the operator's own. */
  isOwn(kind: MailKind, format: TemplateFormat): boolean;
}

/**
 * Reads the built-in templates and those of a folder, which come before them.
 * @throws SettingsError naming the file, for a template that does not parse.
 */
export function readTemplates(folder: string | undefined): Templates {
  const own = folder === undefined ? new Map<string, string>() : readFiles(folder);
  // Templates find one another in this table alone, so whatever they include, no other file is opened. It inherits
  // nothing, or `constructor` would be in it.
  const templates: Record<string, string> = Object.assign(
    Object.create(null),
    Object.fromEntries(readFiles(builtInTemplates)),
    Object.fromEntries(own),
  );
  const engines = { html: createEngine(templates, 'html'), text: createEngine(templates, 'text') };
  const describe = (name: string, error: unknown) =>
    new SettingsError([
      `${join(own.has(name) && folder !== undefined ? folder : builtInTemplates, name)}: ${oneLine(error)}`,
    ]);
  for (const [name, content] of Object.entries(templates)) {
    try {
      engines[name.endsWith(extensions.html) ? 'html' : 'text'].parse(content);
    } catch (error) {
      throw describe(name, error);
    }
  }
  const fileOf = (kind: MailKind, format: TemplateFormat) => {
    const name = kind + extensions[format];
    return name in templates ? name : `layout${extensions[format]}`;
  };
  return {
    render: (kind, format, values) => engines[format].renderFileSync(fileOf(kind, format), values),
    check(kind, format, values) {
      const name = fileOf(kind, format);
      try {
        engines[format].renderFileSync(name, values, { strictVariables: true });
      } catch (error) {
        throw describe(name, error);
      }
    },
    isOwn: (kind, format) => own.has(fileOf(kind, format)),
  };
}

function createEngine(templates: Record<string, string>, format: TemplateFormat): Liquid {
  const engine = new Liquid({
    templates,
    cache: true,
    strictFilters: true,
    lenientIf: true,
    // An endless loop ends with an error, not with the process.
    renderLimit: 1000,
    memoryLimit: 10_000_000,
    ...(format === 'html' ? { outputEscape: 'escape' as const } : {}),
  });
  // The only way around the escaping.
  engine.unregisterFilter('raw');
  return engine;
}

function readFiles(folder: string): Map<string, string> {
  const names = readdirSync(folder).filter((name) =>
    Object.values(extensions).some((extension) => name.endsWith(extension)),
  );
  return new Map(names.sort().map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().replaceAll(/\s*\n\s*/g, '; ');
}
