import type { Static, TSchema } from 'typebox';
import { createValidatorCompiler } from '../http/validation.ts';

/**
 * Makes what checks an input as a request body with this schema would be checked; it normalises the texts in it.
 * @throws ValidationError from what it returns.
 */
export function createCheck<Schema extends TSchema>(schema: Schema): (value: object) => Static<Schema> {
  const check = createValidatorCompiler()({ schema, method: 'POST', url: '/', httpPart: 'body' });
  return (value) => {
    const result: unknown = check(value);
    if (typeof result === 'object' && result !== null && 'error' in result) throw result.error;
    return value as Static<Schema>;
  };
}
