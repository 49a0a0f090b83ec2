import { createRequire } from 'node:module';

let list: ReadonlySet<string> | undefined;

/**
 * Whether the password is, whatever its case, one of some 49,000 that leaks show to be used most. The first call loads
 * the list, which then stays in memory (about 5 MB).
 */
export function isCommonPassword(password: string): boolean {
  list ??= loadList();
  return list.has(password.toLowerCase());
}

function loadList(): ReadonlySet<string> {
  const { dictionary } = createRequire(import.meta.url)(
    '@zxcvbn-ts/language-common',
  ) as typeof import('@zxcvbn-ts/language-common');
  return new Set(dictionary['passwords-common']);
}
