import { createInstance } from 'i18next';
import type access from '../messages/en/access.json';
import type account from '../messages/en/account.json';
import type insight from '../messages/en/insight.json';
import type shared from '../messages/en/shared.json';
import type users from '../messages/en/users.json';
import { config } from './config.ts';
import { foreignText } from './foreign-text.ts';
import { canStore } from './storage.ts';

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'shared';
    resources: {
      shared: typeof shared;
      access: typeof access;
      account: typeof account;
      users: typeof users;
      insight: typeof insight;
    };
  }
}

export type Namespace = 'shared' | 'access' | 'account' | 'users' | 'insight';

/** The languages of the pages, each a folder in `messages`, by its own name. */
export const languages = {
  en: 'English',
  de: 'Deutsch',
  fr: 'Français',
  es: 'Español',
  ja: '日本語',
} as const;
export type Language = keyof typeof languages;

interface Texts {
  [key: string]: string | Texts;
}

const storageKey = 'doorward-language';
const files = import.meta.glob<Texts>('../messages/*/*.json', { import: 'default' });
const i18n = createInstance();

/** A text in the language of the page: `t('access:log_in.title')`. Without a namespace: of `shared`. */
export const t = i18n.t;

/** The language of the page. */
export const language = chooseLanguage();

/** Loads the texts that a document uses. Called once, before anything is shown. */
export async function loadMessages(namespaces: readonly Namespace[]): Promise<void> {
  const loaded = await Promise.all(
    namespaces.map(async (name) => {
      const texts = (await files[`../messages/${language}/${name}.json`]?.()) ?? {};
      return [name, config.sends_mails ? texts : whereMailsAreKept(texts)];
    }),
  );
  await i18n.init({
    lng: language,
    resources: { [language]: Object.fromEntries(loaded) },
    defaultNS: 'shared',
    // Against markup React escapes.
    interpolation: { escape: foreignText },
  });
  document.documentElement.lang = language;
}

/** The same texts, each `<key>_kept` in the place of `<key>`: what is untrue of mails that only administrators read. */
function whereMailsAreKept(texts: Texts): Texts {
  return Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [
      key,
      typeof text === 'string' ? (texts[`${key}_kept`] ?? text) : whereMailsAreKept(text),
    ]),
  );
}

/** Remembers the language on this device and shows the page anew in it. */
export function changeLanguage(chosen: string): void {
  if (chosen === language || !isLanguage(chosen)) return;
  localStorage.setItem(storageKey, chosen);
  location.reload();
}

function isLanguage(text: string): text is Language {
  return Object.hasOwn(languages, text);
}

function chooseLanguage(): Language {
  const remembered = canStore ? localStorage.getItem(storageKey) : null;
  for (const range of [remembered ?? '', ...navigator.languages]) {
    const [primary = ''] = range.toLowerCase().split('-');
    if (isLanguage(primary)) return primary;
  }
  return 'en';
}
