import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../settings.ts';
import { buttonColors } from './contrast.ts';
import { foreignAddress, foreignText } from './foreign-text.ts';
import { definitionOf, type MailKind, type MailParams, mailKinds, messageKeys } from './kinds.ts';
import { chooseLocale, fallbackLocale } from './locales.ts';
import { builtInMessages, createTranslator, readCatalogue, type Translate } from './messages.ts';
import { sampleMail } from './samples.ts';
import { formats, readTemplates } from './templates.ts';

export type MailSettings = Pick<
  Settings,
  | 'PRODUCT_NAME'
  | 'PRODUCT_COLOR'
  | 'PRODUCT_LOGO_URL'
  | 'MAIL_TEMPLATES'
  | 'MAIL_CODE_EXPIRE_MINUTES'
  | 'ACCOUNT_URL'
>;

export interface Mail {
  readonly kind: MailKind;
  readonly locale: string;
  readonly to: string;
  readonly params: MailParams;
  /** Shown only in kinds that have one; null once it is not known any more. */
  readonly link: string | null;
  readonly code: string | null;
  /** Until when the link works. */
  readonly expires_at: string | null;
}

export interface MailContent {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export interface MailRenderer {
  readonly locales: readonly string[];
  /** The language for somebody who chose this one (or null), with this `Accept-Language` header (or null). */
  chooseLocale(preferred: string | null, acceptLanguage: string | null): string;
  render(mail: Mail): MailContent;
  /** Keys that the messages of a language lack, so that the mail is English there. */
  missingMessages(locale: string): readonly string[];
}

/**
 * Reads messages and templates, the operator's own included.
 * @throws SettingsError with one line that names the file, for one of them that cannot be used.
 */
export function createMailRenderer(settings: MailSettings): MailRenderer {
  const { PRODUCT_NAME: product, MAIL_TEMPLATES: folder } = settings;
  const templates = readTemplates(folder);
  const ownMessages = folder === undefined ? [] : [join(folder, 'messages')].filter(existsSync);
  const catalogues = [builtInMessages, ...ownMessages].map(readCatalogue);
  const { locales, translate } = createTranslator(catalogues);
  const colors = buttonColors(settings.PRODUCT_COLOR);
  const choose = (preferred: string | null, acceptLanguage: string | null) =>
    chooseLocale(locales, preferred, acceptLanguage);

  function valuesOf(mail: Mail) {
    const { kind, params } = mail;
    const definition = definitionOf(kind);
    const { hasLink, hasCode, undoes, details = [], times = [], variantReasons } = definition;
    const variant = definition.variant?.(params);
    const language = choose(mail.locale, null);
    const t = translate(language);
    const time = (value: unknown) => formatTime(language, String(value));
    const known = details.includes('device') ? { ...params, device: deviceIn(params, t) } : params;
    const shown = cleanParams(known, [...details, ...times, 'what', 'by_administrator']);
    const sentenceValues = {
      product,
      ...Object.fromEntries(times.map((name) => [name, time(params[name])])),
    };
    const sentence = (name: string) => t(`${kind}.${name}`, sentenceValues);
    const link = hasLink && mail.link !== null ? mail.link : null;
    const code = hasCode && mail.code !== null ? mail.code : null;
    const direction = directionOf(language);
    return {
      kind,
      language,
      direction,
      start: direction === 'rtl' ? 'right' : 'left',
      product,
      logo: settings.PRODUCT_LOGO_URL ?? null,
      colors,
      to: foreignAddress(mail.to),
      params: shown,
      subject: subjectLine(sentence('subject')),
      happened: sentence(variant === undefined ? 'happened' : `happened_${variant}`),
      details: details
        .filter((name) => (shown[name] ?? '') !== '')
        .map((name) => ({
          name,
          label: t(`details.${name}`),
          text_label: t('text.label', { label: t(`details.${name}`) }),
          value: name === 'time' ? time(params.time) : String(shown[name]),
        })),
      to_do: sentence('to_do'),
      otherwise: sentence('otherwise'),
      undoes: undoes === true,
      button: link === null ? null : sentence('button'),
      button_text_label: link === null ? null : t('text.label', { label: sentence('button') }),
      link,
      link_hint: link === null ? null : t('link.hint'),
      link_expires:
        link === null || mail.expires_at === null
          ? null
          : t('link.expires', { expires: time(mail.expires_at) }),
      code: code?.replace(/^(\d{3})(\d{3})$/, '$1 $2') ?? null,
      code_hint: code === null ? null : t('code.hint'),
      code_lifetime:
        code === null
          ? null
          : t('code.lifetime', { duration: formatMinutes(language, settings.MAIL_CODE_EXPIRE_MINUTES) }),
      reason: t(`reasons.${variantReasons?.[variant ?? ''] ?? definition.reason}`, { product }),
    };
  }

  // What a template of the operator's does wrong is told when the program starts, not when somebody waits for a mail.
  // Without any there is nothing to check, and formatting samples would cost an idle process memory.
  for (const kind of folder === undefined ? [] : mailKinds) {
    const values = valuesOf(sampleMail(kind, fallbackLocale, settings));
    for (const format of formats) templates.checkOwn(kind, format, values);
  }

  return {
    locales,
    chooseLocale: choose,
    render(mail) {
      const values = valuesOf(mail);
      const text = templates.render(mail.kind, 'text', values);
      return {
        subject: values.subject,
        text: `${text
          .replaceAll(/[^\S\n]+$/gm, '')
          .replaceAll(/\n{3,}/g, '\n\n')
          .trim()}\n`,
        html: templates.render(mail.kind, 'html', values),
      };
    },
    missingMessages: (locale) =>
      [...messageKeys.keys()].filter((key) => !catalogues.some((one) => one.get(locale)?.has(key))),
  };
}

/** A header is one line, whatever the messages say. */
function subjectLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp} ]+/gu, ' ').trim();
}

/** A device in the words of a language, not cleaned yet. */
function deviceIn({ device, system }: MailParams, t: Translate): string | null {
  if (device === undefined) return null;
  if (device === null) return t('device.unknown');
  return system ? t('device.on', { browser: String(device), system: String(system) }) : String(device);
}

function cleanParams(params: MailParams, names: readonly string[]): MailParams {
  return Object.fromEntries(
    names.map((name) => {
      const value = params[name] ?? null;
      if (typeof value !== 'string') return [name, value];
      return [name, name === 'new_email' || name === 'email' ? foreignAddress(value) : foreignText(value)];
    }),
  );
}

/** A time of RFC 3339 as people of that language write it. Mails do not know where one is, so it is UTC, and says so. */
function formatTime(locale: string, time: string): string {
  return new Intl.DateTimeFormat(locale, {
    year: 'numeric',
    month: 'long',
    day: 'numeric',
    hour: 'numeric',
    minute: '2-digit',
    timeZone: 'UTC',
    timeZoneName: 'short',
  }).format(new Date(time));
}

function formatMinutes(locale: string, minutes: number): string {
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: 'minute',
    unitDisplay: 'long',
    maximumFractionDigits: 0,
  }).format(minutes);
}

function directionOf(locale: string): 'ltr' | 'rtl' {
  const tag = new Intl.Locale(locale) as Intl.Locale & { getTextInfo?(): { direction?: 'ltr' | 'rtl' } };
  return tag.getTextInfo?.().direction ?? 'ltr';
}
