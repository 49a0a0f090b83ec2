export const mask = '********';

/** A URL without the passwords that it can hold (PostgreSQL takes them as parameters, too); any other text as it is. */
export function maskPasswords(text: string): string {
  if (!URL.canParse(text)) return text;
  const url = new URL(text);
  const secrets = [...url.searchParams.keys()].filter((name) => /password/i.test(name));
  if (url.password === '' && secrets.length === 0) return text;
  if (url.password !== '') url.password = mask;
  for (const name of secrets) url.searchParams.set(name, mask);
  return url.href;
}
