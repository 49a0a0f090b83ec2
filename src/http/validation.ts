import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { parseEmailAddress } from '../email-address.ts';
import { ValidationError, type ValidationIssue, valueError } from '../errors.ts';
import type { TextForm } from './schema.ts';

/** The most issues that one answer tells. */
const MAX_ISSUES = 20;

/**
 * What a field that we do not know may be called to be named in the answer. Anything else could be a secret that was
 * pasted in the wrong place, and is shown as `?`.
 */
const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,39}$/;

const INTEGER = /^-?[0-9]+$/;
const TRUE = /^(?:true|1|on|yes|t|y)$/i;
const FALSE = /^(?:false|0|off|no|f|n)$/i;

/** The part of a JSON schema that this file looks into. */
interface ObjectSchema extends TSchema {
  type?: unknown;
  properties?: Record<string, { type?: unknown; default?: unknown }>;
  required?: readonly string[];
}

/** Where FastAPI says that a fault is. */
const LOCATIONS: Record<string, string> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'header',
};

/** Compiled validators. Every instance of a process has the same schemas, and an Ajv of its own would compile its own each time. */
const validators = new WeakMap<TSchema, ValidateFunction>();
const ajv = createAjv();

function compile(schema: TSchema): ValidateFunction {
  const known = validators.get(schema);
  if (known !== undefined) return known;
  const validate = ajv.compile(schema);
  // Or Ajv would keep it for ever, also when the instance that it was made for is gone.
  ajv.removeSchema(schema);
  validators.set(schema, validate);
  return validate;
}

/**
 * Makes the validator compiler of our Fastify context. What does not fit becomes a ValidationError with the types and
 * messages of FastAPI and pydantic 2.
 *
 * Bodies are never coerced. The keyword `text` (see `Text`) normalises a string in place, before its length counts.
 * Parameters of a path or query arrive as text: each is read as the type that its schema names; parameters that the
 * schema does not name are ignored, as FastAPI ignores them.
 */
export function createValidatorCompiler(): FastifySchemaCompiler<TSchema> {
  return ({ schema, httpPart = 'body' }) => {
    const location = LOCATIONS[httpPart] ?? httpPart;
    const check = (value: unknown) => {
      // When it is first asked: compiling all schemas takes longer than the rest of a start.
      const validate = compile(schema);
      // Fastify validates an absent body as null, and FastAPI takes a null body for an absent one.
      if (value === null) return { error: new ValidationError([missing([location])]) };
      if (validate(value)) return { value };
      return { error: new ValidationError(toIssues(validate.errors ?? [], location, schema)) };
    };
    if (location === 'body') return check;

    return (sent: Record<string, unknown>) => {
      const { value, issues } = readParameters(sent, location, schema);
      const checked = check(value);
      if (issues.length === 0) return checked;
      const unread = new Set(issues.map((issue) => issue.loc[1]));
      const others = checked.error?.issues.filter((issue) => !unread.has(issue.loc[1] ?? '')) ?? [];
      return { error: new ValidationError([...issues, ...others].slice(0, MAX_ISSUES)) };
    };
  };
}

function createAjv(): Ajv {
  const ajv = new Ajv({ allErrors: true, strict: true, formats: { email: isEmailAddress } });
  ajv.addKeyword({
    keyword: 'text',
    type: 'string',
    schemaType: 'string',
    before: 'maxLength',
    modifying: true,
    errors: true,
    compile: (form: TextForm) =>
      function validateText(text: string, context) {
        const fault = text.isWellFormed() ? (text.includes('\0') ? 'nul' : undefined) : 'surrogate';
        if (fault !== undefined) {
          Object.assign(validateText, { errors: [{ keyword: 'text', params: { fault } }] });
          return false;
        }
        if (form !== 'as-is' && context !== undefined) {
          context.parentData[context.parentDataProperty] =
            form === 'trim' ? text.trim() : text.normalize('NFC');
        }
        return true;
      },
  });

  return ajv;
}

/** The name that an answer may show for a field that we do not know. */
export function publicName(name: string): string {
  return PLAIN_NAME.test(name) ? name : '?';
}

function isEmailAddress(text: string): boolean {
  return parseEmailAddress(text) !== undefined;
}

/** Reads the parameters that the schema names. What cannot be read is left out and reported. */
function readParameters(sent: Record<string, unknown>, location: string, schema: ObjectSchema) {
  const value: Record<string, unknown> = {};
  const issues: ValidationIssue[] = [];
  for (const [name, parameter] of Object.entries(schema.properties ?? {})) {
    const text = Object.hasOwn(sent, name) ? sent[name] : undefined;
    const loc = [location, name];
    if (text === undefined) {
      if (parameter.default !== undefined) value[name] = parameter.default;
    } else if (typeof text !== 'string') {
      // Sent more than once: Fastify then makes a list of it.
      issues.push(valueError(loc, 'the parameter must be given once'));
    } else if (parameter.type === 'integer') {
      if (INTEGER.test(text)) value[name] = clampToSafeInteger(Number(text));
      else issues.push({ type: 'int_parsing', loc, msg: INT_PARSING });
    } else if (parameter.type === 'boolean') {
      if (TRUE.test(text)) value[name] = true;
      else if (FALSE.test(text)) value[name] = false;
      else issues.push({ type: 'bool_parsing', loc, msg: BOOL_PARSING });
    } else {
      value[name] = text;
    }
  }
  return { value, issues };
}

const INT_PARSING = 'Input should be a valid integer, unable to parse string as an integer';
const BOOL_PARSING = 'Input should be a valid boolean, unable to interpret input';

function clampToSafeInteger(value: number): number {
  return Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

/** One issue a place, in the order of the schema's fields, unknown fields last, as pydantic tells them. */
function toIssues(errors: readonly ErrorObject[], location: string, schema: ObjectSchema): ValidationIssue[] {
  const fields = Object.keys(schema.properties ?? {});
  const rank = (issue: ValidationIssue) => {
    const index = fields.indexOf(String(issue.loc[1]));
    return index === -1 ? fields.length : index;
  };
  const byPlace = new Map<string, ValidationIssue>();
  let extras = 0;
  for (const error of errors) {
    if (error.keyword === 'additionalProperties' && ++extras > MAX_ISSUES) continue;
    const issue = toIssue(error, location);
    const place = JSON.stringify(issue.loc);
    if (!byPlace.has(place)) byPlace.set(place, issue);
  }
  return [...byPlace.values()].sort((a, b) => rank(a) - rank(b)).slice(0, MAX_ISSUES);
}

function toIssue(error: ErrorObject, location: string): ValidationIssue {
  const loc: (string | number)[] = [location, ...pathOf(error.instancePath)];
  const limit = Number(error.params.limit);
  switch (error.keyword) {
    case 'required':
      return missing([...loc, error.params.missingProperty]);
    case 'additionalProperties': {
      const name = String(error.params.additionalProperty);
      return {
        type: 'extra_forbidden',
        loc: [...loc, publicName(name)],
        msg: 'Extra inputs are not permitted',
      };
    }
    case 'type':
      return typeIssue(String(error.params.type), loc);
    case 'minLength':
      return {
        type: 'string_too_short',
        loc,
        msg: `String should have at least ${characters(limit)}`,
        ctx: { min_length: limit },
      };
    case 'maxLength':
      return {
        type: 'string_too_long',
        loc,
        msg: `String should have at most ${characters(limit)}`,
        ctx: { max_length: limit },
      };
    case 'minItems':
      return {
        type: 'too_short',
        loc,
        msg: `List should have at least ${limit} ${limit === 1 ? 'item' : 'items'}`,
        ctx: { min_length: limit },
      };
    case 'maxItems':
      return {
        type: 'too_long',
        loc,
        msg: `List should have at most ${limit} ${limit === 1 ? 'item' : 'items'}`,
        ctx: { max_length: limit },
      };
    case 'minimum':
      return {
        type: 'greater_than_equal',
        loc,
        msg: `Input should be greater than or equal to ${limit}`,
        ctx: { ge: limit },
      };
    case 'maximum':
      return {
        type: 'less_than_equal',
        loc,
        msg: `Input should be less than or equal to ${limit}`,
        ctx: { le: limit },
      };
    case 'enum':
      return literalIssue(loc, error.params.allowedValues);
    case 'const':
      return literalIssue(loc, [error.params.allowedValue]);
    case 'pattern':
      return {
        type: 'string_pattern_mismatch',
        loc,
        msg: `String should match pattern '${error.params.pattern}'`,
        ctx: { pattern: error.params.pattern },
      };
    case 'format': {
      const reason = 'The email address is not valid.';
      return {
        type: 'value_error',
        loc,
        msg: `value is not a valid email address: ${reason}`,
        ctx: { reason },
      };
    }
    case 'text':
      if (error.params.fault === 'nul') return valueError(loc, 'a NUL character is not permitted');
      return {
        type: 'string_unicode',
        loc,
        msg: 'Input should be a valid string, unable to parse raw data as a unicode string',
      };
    default:
      return valueError(loc, 'the value is not permitted');
  }
}

function typeIssue(type: string, loc: (string | number)[]): ValidationIssue {
  switch (type) {
    case 'string':
      return { type: 'string_type', loc, msg: 'Input should be a valid string' };
    case 'integer':
      return { type: 'int_type', loc, msg: 'Input should be a valid integer' };
    case 'boolean':
      return { type: 'bool_type', loc, msg: 'Input should be a valid boolean' };
    case 'array':
      return { type: 'list_type', loc, msg: 'Input should be a valid list' };
    case 'object':
      return {
        type: 'model_attributes_type',
        loc,
        msg: 'Input should be a valid dictionary or object to extract fields from',
      };
    default:
      return valueError(loc, 'the value is not permitted');
  }
}

function literalIssue(loc: (string | number)[], values: readonly unknown[]): ValidationIssue {
  const quoted = values.map((value) => `'${value}'`);
  const last = quoted.pop() ?? '';
  const expected = quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`;
  return { type: 'literal_error', loc, msg: `Input should be ${expected}`, ctx: { expected } };
}

function missing(loc: (string | number)[]): ValidationIssue {
  return { type: 'missing', loc, msg: 'Field required' };
}

function characters(count: number): string {
  return count === 1 ? '1 character' : `${count} characters`;
}

/** The steps of a JSON pointer (RFC 6901). Only names of the schema and indexes are in it. */
function pathOf(pointer: string): (string | number)[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => (/^[0-9]+$/.test(step) ? Number(step) : step.replaceAll('~1', '/').replaceAll('~0', '~')));
}
