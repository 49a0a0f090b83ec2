import { createHmac, hash, type KeyObject, timingSafeEqual } from 'node:crypto';

/** A token has 256 random bits, so that its plain hash gives nothing away. */
export const digestToken = (token: string) => hash('sha256', token, 'base64url');

/** What is kept of the mark of a browser, which has 128 random bits; of none nothing. */
export const digestBrowser = (mark: string | null | undefined) =>
  mark ? hash('sha256', `browser ${mark}`, 'base64url') : null;

/** A code has 20 bits: its digest takes SECRET_KEY, or a copy of the database would tell it. */
export const digestCode = (key: KeyObject, linkId: string, code: string) =>
  createHmac('sha256', key).update(`${linkId} ${code}`).digest('base64url');

export function isSameDigest(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
