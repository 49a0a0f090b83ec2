import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCommonPassword } from './common-passwords.ts';

test('knows common passwords in any case, and only whole ones', () => {
  for (const password of ['password', 'PASSWORD', '1q2w3e4r5t', 'iloveyou', 'P@ssw0rd']) {
    assert.equal(isCommonPassword(password), true, password);
  }
  for (const password of [
    'SecurePass123!',
    'AnotherPass123!',
    'password and more',
    '',
    'constructor',
    '__proto__',
  ]) {
    assert.equal(isCommonPassword(password), false, password);
  }
});
