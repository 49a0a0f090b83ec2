import { Type } from 'typebox';
import { ValidationError, valueError } from '../errors.ts';
import { Email, Text } from './schema.ts';

/** What proves that a mail arrived: the token of its link, or its code. Fields of a body, of which `readProof` makes sense. */
export const ProofFields = {
  token: Type.Optional(
    Text({ minLength: 1, maxLength: 256, description: 'What stands behind `#token=` in the link.' }),
  ),
  email: Type.Optional(Email),
  code: Type.Optional(
    Text({ minLength: 1, maxLength: 32, description: 'The code, with or without spaces.' }),
  ),
};

/**
 * The proof in a body, with the mark of the browser that shows it: a token, or a code with the address that it was mailed to, which whoever is signed in need not name.
 * @throws ValidationError for neither, both, or a code of nobody.
 */
export function readProof(
  { token, email, code }: { token?: string; email?: string; code?: string },
  { isSignedIn, mark = null }: { isSignedIn: boolean; mark: string | null | undefined },
): { token: string; browser: string | null } | { code: string; email: string | undefined } {
  if (token !== undefined) {
    if (code === undefined && email === undefined) return { token, browser: mark };
    throw new ValidationError([valueError(['body'], 'token stands alone')]);
  }
  if (code === undefined) throw missing('token');
  if (email === undefined && !isSignedIn) throw missing('email');
  return { code, email };
}

function missing(field: string): ValidationError {
  return new ValidationError([{ type: 'missing', loc: ['body', field], msg: 'Field required' }]);
}
