import { join } from 'node:path';
import { createInstance } from 'i18next';
import { faultOf, readFolder } from './folder.ts';
import { messageKeys } from './kinds.ts';
import { fallbackLocale } from './locales.ts';

/** The messages of one language, by key. */
export type Messages = ReadonlyMap<string, string>;

/** Languages by their tags. */
export type Catalogue = ReadonlyMap<string, Messages>;

export const builtInMessages = join(import.meta.dirname, 'messages');

/**
 * Reads the message files of a folder, each named by its language tag. It need not hold every message, but none that
 * no mail shows, and no placeholder that is not filled in.
 * @throws SettingsError naming the file.
 */
export function readCatalogue(folder: string): Catalogue {
  return new Map(
    [...readFolder(folder, ['.json'])].map(([name, content]) => {
      const path = join(folder, name);
      const tag = name.slice(0, -'.json'.length);
      if (!isLanguageTag(tag))
        throw faultOf(path, 'the name must be a language tag, as in nl.json or pt-BR.json');
      const messages = readMessages(path, content);
      for (const [key, message] of messages) {
        const allowed = messageKeys.get(key);
        if (allowed === undefined) throw faultOf(path, `there is no message ${key}`);
        const other = placeholdersOf(message).find((placeholder) => !allowed.includes(placeholder));
        if (other !== undefined) throw faultOf(path, `${key} cannot have {{${other}}}`);
      }
      return [tag, messages];
    }),
  );
}

function isLanguageTag(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag)[0] === tag;
  } catch {
    return false;
  }
}

function readMessages(path: string, content: string): Messages {
  const messages = new Map<string, string>();
  const collect = (value: unknown, names: readonly string[]) => {
    if (typeof value === 'string' && value.trim() !== '') {
      messages.set(names.join('.'), value);
    } else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [name, inner] of Object.entries(value)) collect(inner, [...names, name]);
    } else {
      throw faultOf(path, `${names.join('.') || 'all of it'} must be a text or an object of texts`);
    }
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch {
    throw faultOf(path, 'is not JSON');
  }
  collect(parsed, []);
  return messages;
}

/** The placeholders of a message, in alphabetical order. */
export function placeholdersOf(message: string): readonly string[] {
  return [...message.matchAll(/\{\{(.*?)\}\}/gs)].map(([, name = '']) => name.trim()).sort();
}

/** The message of this key in some language. */
export type Translate = (key: string, values?: Readonly<Record<string, string>>) => string;

export interface Translator {
  readonly locales: readonly string[];
  translate(locale: string): Translate;
}

/** Puts catalogues over one another, the last one on top. What a language lacks is English. */
export function createTranslator(catalogues: readonly Catalogue[]): Translator {
  const locales = [...new Set(catalogues.flatMap((catalogue) => [...catalogue.keys()]))].sort();
  const messagesOf = (locale: string) =>
    Object.fromEntries(catalogues.flatMap((catalogue) => [...(catalogue.get(locale) ?? [])]));
  const instance = createInstance();
  void instance.init({
    initAsync: false,
    resources: Object.fromEntries(locales.map((locale) => [locale, { translation: messagesOf(locale) }])),
    fallbackLng: fallbackLocale,
    load: 'currentOnly',
    keySeparator: false,
    nsSeparator: false,
    // Templates escape, and only they know for which format. What is put in is not searched for placeholders again.
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
