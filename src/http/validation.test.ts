import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import Type, { type TSchema } from 'typebox';
import { ValidationError, type ValidationIssue } from '../errors.ts';
import {
  Closed,
  Email,
  Name,
  NewPassword,
  OneOf,
  QueryBoolean,
  QueryInteger,
  Text,
  UserPath,
} from './schema.ts';
import { createValidatorCompiler } from './validation.ts';

const compile = createValidatorCompiler();

function validator(schema: TSchema, httpPart: 'body' | 'querystring' | 'params' = 'body') {
  const validate = compile({ schema, method: 'POST', url: '/', httpPart });
  return (value: unknown): { value: unknown } | { issues: readonly ValidationIssue[] } => {
    const result: unknown = validate(value);
    assert.ok(typeof result === 'object' && result !== null);
    if ('error' in result) {
      assert.ok(result.error instanceof ValidationError);
      return { issues: result.error.issues };
    }
    assert.ok('value' in result);
    return { value: result.value };
  };
}

const signup = validator(Closed({ email: Email, password: NewPassword, name: Name }));
const update = validator(Closed({ email: Type.Optional(Email), name: Type.Optional(Name) }));
const good = { email: 'test@example.com', password: 'Password1!', name: 'Test' };

/** Issues as `place: type`, in order. */
const told = (result: ReturnType<typeof signup>) =>
  'issues' in result ? result.issues.map(({ loc, type }) => `${loc.join('.')}: ${type}`) : [];

test('the handler gets normalised texts, and lengths count their code points', () => {
  assert.deepEqual(signup({ email: ' Test@Example.com ', password: ' pa\u0301ssword ', name: '\n Zoë  ' }), {
    value: { email: 'Test@Example.com', password: ' pássword ', name: 'Zoë' },
  });
  assert.deepEqual(told(signup({ ...good, name: '😀'.repeat(100) })), []);
  assert.deepEqual(told(signup({ ...good, name: '😀'.repeat(101) })), ['body.name: string_too_long']);
  assert.deepEqual(told(signup({ ...good, name: ` ${'a'.repeat(100)} ` })), []);
  // Seven code points once composed.
  assert.deepEqual(told(signup({ ...good, password: 'a\u0301234567' })), ['body.password: string_too_short']);
  assert.deepEqual(told(signup({ ...good, password: 'e\u0301'.repeat(128) })), []);
  assert.deepEqual(told(signup({ ...good, password: 'x'.repeat(129) })), ['body.password: string_too_long']);
});

test('faults in a body', () => {
  const cases: [body: unknown, issues: string[]][] = [
    [null, ['body: missing']],
    [[], ['body: model_attributes_type']],
    ['{}', ['body: model_attributes_type']],
    [1, ['body: model_attributes_type']],
    [{}, ['body.email: missing', 'body.password: missing', 'body.name: missing']],
    [{ ...good, is_admin: true }, ['body.is_admin: extra_forbidden']],
    [
      JSON.parse('{"__proto__":{"email":1}}'),
      [
        'body.email: missing',
        'body.password: missing',
        'body.name: missing',
        'body.__proto__: extra_forbidden',
      ],
    ],
    [{ ...good, constructor: 1 }, ['body.constructor: extra_forbidden']],
    [{ ...good, email: null }, ['body.email: string_type']],
    [{ ...good, email: ['test@example.com'] }, ['body.email: string_type']],
    [{ ...good, password: 12345678 }, ['body.password: string_type']],
    [{ ...good, name: '' }, ['body.name: string_too_short']],
    [{ ...good, name: ' \t ' }, ['body.name: string_too_short']],
    [{ ...good, name: 'a\0b' }, ['body.name: value_error']],
    [{ ...good, name: '\ud800' }, ['body.name: string_unicode']],
    [{ ...good, password: 'Password1!\udc00' }, ['body.password: string_unicode']],
    [{ ...good, email: 'nobody' }, ['body.email: value_error']],
    [{ ...good, email: `${'a'.repeat(16_384)}@example.com` }, ['body.email: string_too_long']],
  ];
  for (const [body, issues] of cases)
    assert.deepEqual(told(signup(body)), issues, JSON.stringify(body)?.slice(0, 80));
  assert.deepEqual(told(update({ name: null })), ['body.name: string_type']);
  assert.deepEqual(update({}), { value: {} });
});

test('messages and contexts are those of pydantic 2', () => {
  assert.deepEqual(signup({ email: 'x', password: 'short', name: '', extra: 1 }), {
    issues: [
      {
        type: 'value_error',
        loc: ['body', 'email'],
        msg: 'value is not a valid email address: The email address is not valid.',
        ctx: { reason: 'The email address is not valid.' },
      },
      {
        type: 'string_too_short',
        loc: ['body', 'password'],
        msg: 'String should have at least 8 characters',
        ctx: { min_length: 8 },
      },
      {
        type: 'string_too_short',
        loc: ['body', 'name'],
        msg: 'String should have at least 1 character',
        ctx: { min_length: 1 },
      },
      { type: 'extra_forbidden', loc: ['body', 'extra'], msg: 'Extra inputs are not permitted' },
    ],
  });
});

test('an answer never repeats a value, nor a name that could be one, and is bounded', () => {
  const secret = 'S3cret!-value';
  const sent = {
    email: secret,
    password: secret.slice(0, 5),
    name: [secret],
    [secret]: secret,
    ['x'.repeat(41)]: 1,
  };
  const text = JSON.stringify(signup(sent));
  assert.ok(!text.includes('S3cre'), text);
  assert.ok(!text.includes('xxxx'), text);
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`field_${index}`, index]));
  assert.equal(told(signup(many)).length, 20);
});

test('parameters of a query are read from text', () => {
  const query = validator(
    Type.Object({
      skip: QueryInteger({ minimum: 0, default: 0 }),
      limit: QueryInteger({ minimum: 1, maximum: 200, default: 50 }),
      is_active: Type.Optional(QueryBoolean()),
      sort: Type.Optional(OneOf(['id', '-id', 'email'])),
      q: Type.Optional(Text({ maxLength: 5, normalise: 'trim' })),
    }),
    'querystring',
  );
  assert.deepEqual(query({}), { value: { skip: 0, limit: 50 } });
  assert.deepEqual(query({ limit: '200', is_active: 'TRUE', sort: '-id', q: ' abc ', unknown: 'x' }), {
    value: { skip: 0, limit: 200, is_active: true, sort: '-id', q: 'abc' },
  });
  for (const text of ['0', 'off', 'No', 'FALSE'])
    assert.deepEqual(query({ is_active: text }), { value: { skip: 0, limit: 50, is_active: false } });
  for (const text of ['1e0', '9e99', ' 5', '5 ', '5.0', '0x10', '', '+5', '1_000', '--1', '٣', 'NaN', '\0']) {
    assert.deepEqual(told(query({ limit: text })), ['query.limit: int_parsing'], text);
  }
  assert.deepEqual(query({ limit: '0', skip: '-1' }), {
    issues: [
      {
        type: 'greater_than_equal',
        loc: ['query', 'skip'],
        msg: 'Input should be greater than or equal to 0',
        ctx: { ge: 0 },
      },
      {
        type: 'greater_than_equal',
        loc: ['query', 'limit'],
        msg: 'Input should be greater than or equal to 1',
        ctx: { ge: 1 },
      },
    ],
  });
  assert.deepEqual(told(query({ limit: '201' })), ['query.limit: less_than_equal']);
  assert.deepEqual(told(query({ limit: '9'.repeat(400) })), ['query.limit: less_than_equal']);
  assert.deepEqual(told(query({ limit: ['1', '2'] })), ['query.limit: value_error']);
  assert.deepEqual(told(query({ q: { a: '1' } })), ['query.q: value_error']);
  assert.deepEqual(told(query({ is_active: 'maybe', q: 'abcdef' })), [
    'query.is_active: bool_parsing',
    'query.q: string_too_long',
  ]);
  assert.deepEqual(query({ sort: 'name' }), {
    issues: [
      {
        type: 'literal_error',
        loc: ['query', 'sort'],
        msg: "Input should be 'id', '-id' or 'email'",
        ctx: { expected: "'id', '-id' or 'email'" },
      },
    ],
  });
});

test('an id in a path', () => {
  const path = validator(UserPath, 'params');
  assert.deepEqual(path({ user_id: '7' }), { value: { user_id: 7 } });
  assert.deepEqual(path({ user_id: '-1' }), { value: { user_id: -1 } });
  assert.deepEqual(path({ user_id: '9'.repeat(64) }), { value: { user_id: Number.MAX_SAFE_INTEGER } });
  assert.deepEqual(path({ user_id: `-${'9'.repeat(400)}` }), { value: { user_id: Number.MIN_SAFE_INTEGER } });
  for (const text of ['1e0', '9e99', '\0', 'me', '']) {
    assert.deepEqual(told(path({ user_id: text })), ['path.user_id: int_parsing'], text);
  }
});

test('any value is either refused with issues or fits the schema, and a fitting value stays as it is', () => {
  const anything = fc.oneof(
    fc.anything(),
    fc.record({
      email: fc.emailAddress(),
      password: fc.string({ unit: 'binary' }),
      name: fc.string({ unit: 'binary' }),
    }),
  );
  fc.assert(
    fc.property(anything, (value) => {
      const result = signup(structuredClone(value));
      if ('issues' in result) {
        assert.ok(result.issues.length > 0 && result.issues.length <= 20);
        for (const issue of result.issues) assert.equal(issue.loc[0], 'body');
        return;
      }
      const { name, password } = result.value as typeof good;
      assert.equal(name, name.trim());
      assert.ok([...name].length >= 1 && [...name].length <= 100);
      assert.ok([...password].length >= 8 && [...password].length <= 128);
      assert.ok(!`${name}${password}`.includes('\0') && `${name}${password}`.isWellFormed());
      assert.deepEqual(signup(structuredClone(result.value)), result);
    }),
    { numRuns: 1000 },
  );
});
