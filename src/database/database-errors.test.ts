import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DoorwardError } from '../errors.ts';
import { databaseError, isMerelyRefused } from './database-errors.ts';

/** An error as the driver of PostgreSQL makes it, of an ordinary statement that is refused unless told otherwise. */
const refusal = (fields: { code: string; severity?: string; file?: string; routine?: string }) =>
  Object.assign(new Error('refused'), { severity: 'ERROR', file: 'aclchk.c', ...fields });

const isUnavailable = (error: Error) => databaseError(error) instanceof DoorwardError;

test('what PostgreSQL cannot do for anybody is database_unavailable, what it refuses to us is not', () => {
  const unavailable = [
    { code: '42501', file: 'md.c' },
    { code: '42501', file: 'fd.c' },
    { code: '54000', file: 'varsup.c' },
    { code: 'XX000', file: 'xlogutils.c' },
    { code: '58P01', file: 'other.c' },
    { code: 'XX001', file: 'other.c' },
    { code: 'XX000', severity: 'FATAL' },
    { code: 'XX000', severity: 'PANIC' },
  ];
  for (const fields of unavailable) assert.ok(isUnavailable(refusal(fields)), JSON.stringify(fields));
  for (const fields of [{ code: '42501' }, { code: '54000' }, { code: 'XX000' }, { code: '42P01' }]) {
    assert.ok(!isUnavailable(refusal(fields)), JSON.stringify(fields));
  }
});

test('a connection is as good as before after what was merely refused', () => {
  for (const code of ['53100', '57014', '55P03', '58030'])
    assert.ok(isMerelyRefused(refusal({ code })), code);
  const broken = [
    refusal({ code: '57P01', severity: 'FATAL' }),
    refusal({ code: '53100', severity: 'FEHLER' }),
    refusal({ code: '25006' }),
    refusal({ code: '08006' }),
    refusal({ code: '0A000', routine: 'RevalidateCachedQuery' }),
    new Error('Query read timeout'),
  ];
  for (const error of broken) assert.ok(!isMerelyRefused(error), JSON.stringify(error));
});
