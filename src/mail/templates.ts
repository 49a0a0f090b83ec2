import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Liquid } from 'liquidjs';
import { faultOf, readFolder } from './folder.ts';
import type { MailKind } from './kinds.ts';

export const formats = ['html', 'text'] as const;
export type TemplateFormat = (typeof formats)[number];

const endings = { html: '.html', text: '.txt' } as const;

const builtInTemplates = join(import.meta.dirname, 'templates');

export interface Templates {
  /** Fills in the template of the kind, or else the layout. */
  render(kind: MailKind, format: TemplateFormat, values: object): string;
  /** Does so where the template is the operator's; a variable that is none is an error. @throws SettingsError naming the file. */
  checkOwn(kind: MailKind, format: TemplateFormat, values: object): void;
}

/**
 * Reads the built-in templates and those of a folder, which come before them.
 * @throws SettingsError naming the file, for a template that does not parse.
 */
export function readTemplates(folder: string | undefined): Templates {
  const read = (from: string) => readFolder(from, Object.values(endings));
  const own = folder === undefined ? new Map<string, string>() : read(folder);
  // Templates find one another in this table alone: whatever they include, no file is opened. It inherits nothing, or
  // `constructor` would be in it.
  const templates: Record<string, string> = Object.create(null);
  for (const [name, content] of [...read(builtInTemplates), ...own]) templates[name] = content;
  // Made when a template is filled in: a process that sends nothing need not have what takes megabytes.
  const engines = new Map<TemplateFormat, Liquid>();
  const engineOf = (format: TemplateFormat) => {
    const engine = engines.get(format) ?? createEngine(templates, format);
    engines.set(format, engine);
    return engine;
  };
  const fault = (name: string, error: unknown) =>
    faultOf(join(folder ?? '', name), error instanceof Error ? error.message : String(error));
  for (const [name, content] of own) {
    try {
      engineOf(name.endsWith(endings.html) ? 'html' : 'text').parse(content);
    } catch (error) {
      throw fault(name, error);
    }
  }
  const nameOf = (kind: MailKind, format: TemplateFormat) => {
    const name = kind + endings[format];
    return name in templates ? name : `layout${endings[format]}`;
  };
  return {
    render: (kind, format, values) => engineOf(format).renderFileSync(nameOf(kind, format), values),
    checkOwn(kind, format, values) {
      const name = nameOf(kind, format);
      if (!own.has(name)) return;
      try {
        engineOf(format).renderFileSync(name, values, { strictVariables: true });
      } catch (error) {
        throw fault(name, error);
      }
    },
  };
}

function createEngine(templates: Record<string, string>, format: TemplateFormat): Liquid {
  const { Liquid } = createRequire(import.meta.url)('liquidjs') as typeof import('liquidjs');
  const engine = new Liquid({
    templates,
    cache: true,
    strictFilters: true,
    lenientIf: true,
    // A loop without an end ends with an error, not with the process.
    renderLimit: 5000,
    memoryLimit: 10_000_000,
    ...(format === 'html' ? { outputEscape: 'escape' as const } : {}),
  });
  // The one way around the escaping.
  engine.unregisterFilter('raw');
  return engine;
}
