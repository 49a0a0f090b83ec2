import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInstance } from 'i18next';
import { SettingsError } from '../settings.ts';
import { fallbackLocale } from './locales.ts';

/** The messages of one language, by key. */
export type Messages = ReadonlyMap<string, string>;

/** By language tag. */
export type Catalogue = ReadonlyMap<string, Messages>;

export const builtInMessages = join(import.meta.dirname, 'messages');

/**
 * Reads the message files of a folder, each named by its language tag.
 * @throws SettingsError naming the file, for what is no message file.
 */
export function readCatalogue(folder: string): Catalogue {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return new Map(
    names.sort().map((name) => {
      const file = join(folder, name);
      return [localeOf(name, file), readMessages(file)];
    }),
  );
}

function localeOf(name: string, file: string): string {
  const tag = name.slice(0, -'.json'.length);
  try {
    if (Intl.getCanonicalLocales(tag)[0] === tag) return tag;
  } catch {}
  throw new SettingsError([`${file} is not named by a language tag, such as nl.json or pt-BR.json`]);
}

function readMessages(file: string): Messages {
  const messages = new Map<string, string>();
  const collect = (value: unknown, path: readonly string[]) => {
    if (typeof value === 'string' && value.trim() !== '') {
      messages.set(path.join('.'), value);
    } else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [name, inner] of Object.entries(value)) collect(inner, [...path, name]);
    } else {
      throw new SettingsError([
        `${file}: ${path.join('.') || 'the whole'} must be a text or an object of them`,
      ]);
    }
  };
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const cause = error instanceof Error && 'code' in error ? ` (${error.code})` : '';
    throw new SettingsError([`${file} is not readable as JSON${cause}`]);
  }
  collect(content, []);
  return messages;
}

/** The placeholders of a message, in alphabetical order. */
export function placeholdersOf(message: string): readonly string[] {
  return [...message.matchAll(/\{\{(.*?)\}\}/g)].map(([, name = '']) => name).sort();
}

/** Messages in a language, by key. A placeholder that is not given is empty, a key that is missing an error. */
export type Translate = (key: string, values?: Readonly<Record<string, string>>) => string;

/** Puts the catalogues over one another, the last on top; what a language lacks is English. */
export function createTranslator(catalogues: readonly Catalogue[]): {
  readonly locales: readonly string[];
  translate(locale: string): Translate;
} {
  const locales = [...new Set(catalogues.flatMap((catalogue) => [...catalogue.keys()]))].sort();
  const messagesOf = (locale: string) =>
    Object.fromEntries(catalogues.flatMap((catalogue) => [...(catalogue.get(locale) ?? [])]));
  const instance = createInstance();
  // Keys are whole: a dot in one opens nothing, and a message refers to no other. What is put in is not read again.
  void instance.init({
    initAsync: false,
    resources: Object.fromEntries(locales.map((locale) => [locale, { translation: messagesOf(locale) }])),
    fallbackLng: fallbackLocale,
    load: 'currentOnly',
    keySeparator: false,
    nsSeparator: false,
    interpolation: { escapeValue: false, skipOnVariables: true },
    parseMissingKeyHandler: (key) => {
      throw new Error(`there is no message ${key}`);
    },
  });
  return {
    locales,
    translate(locale) {
      const t = instance.getFixedT(locale);
      return (key, values = {}) => t(key, { ...values });
    },
  };
}
