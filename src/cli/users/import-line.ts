import { Type } from 'typebox';
import { describeHash } from '../../crypto/password-hash.ts';
import { ValidationError, type ValidationIssue, valueError } from '../../errors.ts';
import type { ImportedAccount } from '../../features/accounts/index.ts';
import { Email, Name, Text } from '../../http/schema.ts';
import { createCheck } from '../check.ts';

const Line = Type.Object({
  email: Email,
  name: Name,
  hashed_password: Text(),
  is_active: Type.Optional(Type.Boolean()),
  is_admin: Type.Optional(Type.Boolean()),
  created_at: Type.Optional(Text()),
});

/** A date and time as databases print it; without an offset it is UTC, as the reference stores it. */
const dateTime = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d(?::?\d\d)?)?$/;

/**
 * Makes what reads an account out of one line of JSON. No issue that it reports holds the hash.
 * @throws ValidationError from what it returns.
 */
export function createLineReader(): (text: string) => ImportedAccount {
  const check = createCheck(Line);
  return (text) => {
    const { is_active = true, is_admin = false, created_at, ...account } = check(parse(text));
    const issues: ValidationIssue[] = [];
    const hash = describeHash(account.hashed_password);
    if ('refused' in hash) issues.push(valueError(['body', 'hashed_password'], hash.refused));
    const createdAt = created_at === undefined ? undefined : readDateTime(created_at);
    if (created_at !== undefined && createdAt === undefined) {
      issues.push(valueError(['body', 'created_at'], 'not a date and time (RFC 3339)'));
    }
    if (issues.length > 0) throw new ValidationError(issues);
    const { email, name, hashed_password } = account;
    return { email, name, hashed_password, is_active, is_admin, created_at: createdAt };
  };
}

function parse(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // What the parser says repeats a part of the line.
    throw new ValidationError([valueError(['body'], 'not valid JSON')]);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ValidationError([valueError(['body'], 'not a JSON object')]);
  }
  // SQLite has no truth values and exports 0 and 1; a null is a value that is not there.
  const fields = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(
    fields.map(([name, field]) => [
      name,
      /^is_/.test(name) && (field === 0 || field === 1) ? field === 1 : field,
    ]),
  );
}

function readDateTime(text: string): string | undefined {
  const [, date, time, offset = 'Z'] = dateTime.exec(text) ?? [];
  if (date === undefined || time === undefined) return undefined;
  const minutes = /^[+-]\d\d$/.test(offset) ? `${offset}:00` : offset.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2');
  const milliseconds = Date.parse(`${date}T${time}${minutes}`);
  return Number.isNaN(milliseconds) ? undefined : new Date(milliseconds).toISOString();
}
