export const mask = '********';

/**
 * A URL without the secrets that it can hold; any other text as it is. PostgreSQL takes passwords as parameters, too, and
 * collectors of traces keys.
 */
export function maskPasswords(text: string): string {
  if (!URL.canParse(text)) return text;
  const url = new URL(text);
  const secrets = [...url.searchParams.keys()].filter((name) => /password|secret|token|key|auth/i.test(name));
  if (url.password === '' && secrets.length === 0) return text;
  if (url.password !== '') url.password = mask;
  for (const name of secrets) url.searchParams.set(name, mask);
  return url.href;
}
