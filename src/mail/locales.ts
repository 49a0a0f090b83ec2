/** In which a mail is written when nothing else fits; every message exists in it. */
export const fallbackLocale = 'en';

/** Longer tags and lists are nobody's languages. */
const maxTagLength = 40;
const maxRanges = 30;

/**
 * The language for somebody: the one they chose, else by `Accept-Language`, both by Lookup (RFC 4647, 3.4), else English.
 */
export function chooseLocale(
  locales: readonly string[],
  preferred: string | null,
  acceptLanguage: string | null,
): string {
  for (const range of [...(preferred === null ? [] : [preferred]), ...readRanges(acceptLanguage ?? '')]) {
    const found = lookUp(locales, range);
    if (found !== undefined) return found;
  }
  return fallbackLocale;
}

/** The ranges of the header, best first. `*` says nothing that Lookup could use, so it is left out. */
function readRanges(acceptLanguage: string): string[] {
  return acceptLanguage
    .slice(0, 1000)
    .split(',', maxRanges)
    .map((part) => /^\s*([a-z0-9-]+)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?$/i.exec(part))
    .map((match) => ({ range: match?.[1], quality: Number(match?.[2] ?? 1) }))
    .filter(({ quality }) => quality > 0)
    .sort((one, other) => other.quality - one.quality)
    .flatMap(({ range }) => range ?? []);
}

function lookUp(locales: readonly string[], range: string): string | undefined {
  if (range.length > maxTagLength) return undefined;
  const subtags = range.toLowerCase().split('-');
  while (subtags.length > 0) {
    const found = locales.find((locale) => locale.toLowerCase() === subtags.join('-'));
    if (found !== undefined) return found;
    subtags.pop();
    // A single character only introduces what follows it.
    if (subtags.at(-1)?.length === 1) subtags.pop();
  }
  return undefined;
}
