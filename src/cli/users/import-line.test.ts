import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ValidationError } from '../../errors.ts';
import { createLineReader } from './import-line.ts';

const hashed_password = `$2b$12$${'a'.repeat(53)}`;
const account = { email: 'ann@example.com', name: 'Ann', hashed_password };
const read = createLineReader();

describe('a line of an import', () => {
  const dates: [given: string, read: string | undefined][] = [
    ['2024-01-02T03:04:05Z', '2024-01-02T03:04:05.000Z'],
    ['2024-01-02T03:04:05.678901', '2024-01-02T03:04:05.678Z'],
    ['2024-01-02 03:04:05+00', '2024-01-02T03:04:05.000Z'],
    ['2024-01-02 03:04:05-0130', '2024-01-02T04:34:05.000Z'],
    ['2024-01-02T03:04', '2024-01-02T03:04:00.000Z'],
    ['2024-13-02T03:04:05Z', undefined],
    ['2024-02-30T03:04:05Z', undefined],
    ['0000-01-02T03:04:05Z', undefined],
    ['9999-12-31T23:59:59-01:00', undefined],
    ['2024-01-02', undefined],
    ['yesterday', undefined],
    ['', undefined],
  ];
  for (const [created_at, expected] of dates) {
    test(`created_at ${JSON.stringify(created_at)}`, () => {
      const line = JSON.stringify({ ...account, created_at });
      if (expected === undefined) assert.throws(() => read(line), ValidationError);
      else assert.equal(read(line).created_at, expected);
    });
  }

  test('truth values as SQLite exports them, null for what is not known, unknown fields', () => {
    const line = {
      ...account,
      id: 9,
      is_active: 0,
      is_admin: 1,
      email_verified: 0,
      locale: 'de_AT.UTF-8',
      created_at: null,
    };
    assert.deepEqual(read(JSON.stringify(line)), {
      ...account,
      is_active: false,
      is_admin: true,
      email_verified: false,
      locale: 'de-AT',
      created_at: undefined,
    });
  });

  for (const line of [
    '',
    'null',
    '[]',
    '"text"',
    '{',
    JSON.stringify({ ...account, is_admin: 2 }),
    JSON.stringify({ ...account, name: 'a\0b' }),
    JSON.stringify({ ...account, hashed_password: 'plain-text-secret' }),
    JSON.stringify({ ...account, hashed_password: 5 }),
    JSON.stringify({
      ...account,
      hashed_password: '$argon2id$v=19$m=4294967295,t=3,p=4$c2FsdHNhbHQ$c2VjcmV0c2VjcmV0',
    }),
  ]) {
    test(`refused: ${line.slice(0, 80)}`, () => {
      assert.throws(
        () => read(line),
        (error) => error instanceof ValidationError && !JSON.stringify(error.issues).includes('secret'),
      );
    });
  }
});
