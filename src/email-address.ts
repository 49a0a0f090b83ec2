import { domainToASCII } from 'node:url';
import isEmail from 'validator/lib/isEmail.js';

/** Special-use top-level domains (RFC 6761, 6762, 7686), which email-validator and so the reference refuse. */
const SPECIAL_USE = /(?:^|\.)(?:arpa|invalid|local|localhost|onion|test)$/;

/** What a URL parser would drop or end a host at, so that it must not reach `domainToASCII`. */
const NOT_IN_DOMAIN = /[\p{C}\p{Z}/\\?#:%[\]]/u;

/** Quoted local parts, and characters that cannot be seen or stand alone, so that two addresses would look alike. */
const NOT_IN_LOCAL_PART = /^\p{M}|["\p{C}\p{Z}]/u;

/** An address as it is shown (`email`, as entered) and as it identifies an account (`email_key`). */
export interface EmailAddress {
  email: string;
  email_key: string;
}

/**
 * Reads an email address as the reference's EmailStr does: RFC 5321 bounds, internationalised addresses, no display
 * name, no quoted local part, no IP literal, no special-use domain. `undefined` when it is none.
 *
 * `email` is the text without surrounding white space, in NFC. `email_key` is the same for every spelling of one
 * account: the domain in lower-case ASCII, the local part with each code point in lower case on its own and final
 * sigma as sigma. That fold knows no locale and no neighbours, so it is stable, and it never makes one mailbox of two
 * that differ in more than case: dotless `ı` is not `i`, `ß` is not `ss`, and nothing is NFKC-folded.
 */
export function parseEmailAddress(text: string): EmailAddress | undefined {
  // Bounds the work below; an address has at most 254 octets (RFC 5321 §4.5.3.1.3), white space around it aside.
  if (text.length > 1024) return undefined;
  const email = text.trim().normalize('NFC');
  const at = email.lastIndexOf('@');
  if (at < 1) return undefined;
  const localPart = email.slice(0, at);
  const domain = email.slice(at + 1);
  if (NOT_IN_LOCAL_PART.test(localPart) || NOT_IN_DOMAIN.test(domain)) return undefined;

  const asciiDomain = domainToASCII(domain);
  if (!isEmail.default(`${localPart}@${asciiDomain}`) || SPECIAL_USE.test(asciiDomain)) return undefined;
  if (Buffer.byteLength(email) > 254) return undefined;

  const foldedLocalPart = Array.from(localPart, (character) => character.toLowerCase())
    .join('')
    .replaceAll('ς', 'σ')
    .normalize('NFC');
  return { email, email_key: `${foldedLocalPart}@${asciiDomain}` };
}
