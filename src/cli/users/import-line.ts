import { Type } from 'typebox';
import { ValidationError, valueError } from '../../errors.ts';
import { type ImportedAccount, readImported } from '../../features/accounts/index.ts';
import { Email, Name, Text } from '../../http/schema.ts';
import { createCheck } from '../check.ts';

const Line = Type.Object({
  email: Email,
  name: Name,
  hashed_password: Text(),
  is_active: Type.Optional(Type.Boolean()),
  is_admin: Type.Optional(Type.Boolean()),
  email_verified: Type.Optional(Type.Boolean()),
  locale: Type.Optional(Text({ maxLength: 100 })),
  created_at: Type.Optional(Text()),
});

/**
 * Makes what reads an account out of one line of JSON. No issue that it reports holds the hash.
 * @throws ValidationError from what it returns.
 */
export function createLineReader(): (text: string) => ImportedAccount {
  const check = createCheck(Line);
  return (text) => {
    const { hashed_password: hash, ...fields } = check(parse(text));
    return readImported({ ...fields, hash }, 'hashed_password');
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
      /^(is_|email_verified$)/.test(name) && (field === 0 || field === 1) ? field === 1 : field,
    ]),
  );
}
