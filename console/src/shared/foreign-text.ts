const directions = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;
/** Hebrew, Arabic and other scripts that run from right to left. */
const rightToLeft = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]/u;

/**
 * A text that a stranger chose, as it may stand in a line with others: invisible characters cannot turn it, or what stands
 * beside it, into another one, and its own direction ends where it does (Unicode Standard Annex 9, 2.7).
 */
export function foreignText(text: string): string {
  const plain = text.replaceAll(directions, '');
  return rightToLeft.test(plain) ? `\u2068${plain}\u2069` : plain;
}
