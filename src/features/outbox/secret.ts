import type { KeyObject } from 'node:crypto';
import { openText, sealText } from '../../crypto/sealed-text.ts';

/** What lets whoever has it act for the account: not stored but sealed, and not longer than until it is sent. */
export interface MailSecret {
  readonly link: string;
  readonly code: string | null;
}

/** A secret for the row of one mail alone. */
export function sealSecret(key: KeyObject, id: number, { link, code }: MailSecret): string {
  return sealText(key, JSON.stringify([link, code]), String(id));
}

/** Undefined when it was sealed under another SECRET_KEY. */
export function openSecret(key: KeyObject, id: number, sealed: string): MailSecret | undefined {
  const text = openText(key, sealed, String(id));
  if (text === undefined) return undefined;
  const [link, code] = JSON.parse(text);
  return { link, code };
}
