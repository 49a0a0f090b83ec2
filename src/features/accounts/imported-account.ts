import { describeHash } from '../../crypto/password-hash.ts';
import { ValidationError, type ValidationIssue, valueError } from '../../errors.ts';
import { requireLocale } from './create.ts';

/** An account of another system. */
export interface ImportedAccount {
  email: string;
  name: string;
  /** In a form that `describeHash` accepts. Without it the owner sets a password by a mail. */
  hashed_password: string | undefined;
  is_active: boolean;
  is_admin: boolean;
  /** By default it is: whoever imports vouches for it. */
  email_verified?: boolean | undefined;
  locale?: string | undefined;
  /** RFC 3339 in UTC with milliseconds; now, when it is not known. */
  created_at: string | undefined;
}

/** What is known of it, with the fields in their types and nothing else checked. */
export interface ImportedFields {
  email: string;
  name: string;
  hash?: string | undefined;
  is_active?: boolean | undefined;
  is_admin?: boolean | undefined;
  email_verified?: boolean | undefined;
  locale?: string | undefined;
  created_at?: string | undefined;
}

/** A date and time as databases print it; without an offset it is UTC, as the reference stores it. */
const dateTime = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d(?::?\d\d)?)?$/;

/**
 * Checks what only rules can see. `hashField` is what they call the hash.
 * @throws ValidationError, which never repeats the hash.
 */
export function readImported(
  { email, name, hash, created_at, ...fields }: ImportedFields,
  hashField: string,
): ImportedAccount {
  const issues: ValidationIssue[] = [];
  const described = hash === undefined ? undefined : describeHash(hash);
  if (described !== undefined && 'refused' in described)
    issues.push(valueError(['body', hashField], described.refused));
  const createdAt = created_at === undefined ? undefined : readDateTime(created_at);
  if (created_at !== undefined && createdAt === undefined)
    issues.push(valueError(['body', 'created_at'], 'not a date and time (RFC 3339)'));
  if (issues.length > 0) throw new ValidationError(issues);
  const { is_active = true, is_admin = false, email_verified } = fields;
  // As POSIX and many tables spell it: en_US.UTF-8, or nothing.
  const tag = fields.locale?.replace(/[.@].*/s, '').replaceAll('_', '-');
  const locale = tag ? requireLocale(tag) : undefined;
  return {
    ...{ email, name, hashed_password: hash, is_active, is_admin, email_verified, locale },
    created_at: createdAt,
  };
}

function readDateTime(text: string): string | undefined {
  const [, date, time, offset = 'Z'] = dateTime.exec(text) ?? [];
  if (date === undefined || time === undefined) return undefined;
  const midnight = new Date(date);
  // What JavaScript takes for another day, 30 February, is none.
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(date)) return undefined;
  const minutes = /^[+-]\d\d$/.test(offset) ? `${offset}:00` : offset.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2');
  const milliseconds = Date.parse(`${date}T${time}${minutes}`);
  if (Number.isNaN(milliseconds)) return undefined;
  const read = new Date(milliseconds).toISOString();
  // PostgreSQL has no year 0.
  return /^(?!0000)\d{4}-/.test(read) ? read : undefined;
}
