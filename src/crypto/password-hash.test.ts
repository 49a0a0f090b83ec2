import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  argon2BelowOwaspMinimum,
  decoyHash,
  defaultArgon2Parameters,
  describeHash,
  hashPassword,
  needsRehash,
  storedHashBounds,
  verifyPassword,
} from './password-hash.ts';

const cheap = { memoryKib: 64, passes: 1, lanes: 1 };
const password = 'Corréct horse 9!';
const decomposed = password.normalize('NFD');

/**
 * Made by other implementations (Python 3: argon2-cffi 25.1.0, pwdlib 0.3.1, bcrypt 5.0.0, passlib 1.7.4,
 * Django 5.2.19, Werkzeug 3.1.9) of `password`, some with less work than their default to keep the tests quick.
 */
const foreign: readonly (readonly [name: string, hash: string])[] = [
  // argon2.PasswordHasher().hash(password)
  [
    'argon2-cffi',
    '$argon2id$v=19$m=65536,t=3,p=4$hDxyzjvMS4hscDgVSV9DYw$oYr+7K9DkZ8UzFrL+XZU6k4/OTfCIgWKvyZwgc8spdM',
  ],
  // pwdlib.PasswordHash.recommended().hash(password)
  [
    'pwdlib',
    '$argon2id$v=19$m=65536,t=3,p=4$XMfoQtpVDIypl9iw09dv8w$tX12N2ZKhvIfrEj8zi4e672ni1fuXkV3c1FIOLPTEHc',
  ],
  // PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
  [
    'argon2-cffi, OWASP minimum',
    '$argon2id$v=19$m=19456,t=2,p=1$QA6apLxVoJsGNh4e/A6voQ$fVRpv4XVhCu7c2bIZc2VhyxW5+Vqi1rY41mnZAiQoco',
  ],
  // PasswordHasher(time_cost=2, memory_cost=256, parallelism=2, hash_len=16, salt_len=8)
  ['argon2-cffi, short salt and hash', '$argon2id$v=19$m=256,t=2,p=2$BsG4kusQawM$+nApcp7U7ETW+Q1x5lEbAA'],
  // PasswordHasher(time_cost=3, memory_cost=4096, parallelism=1, type=Type.I)
  [
    'argon2-cffi, Argon2i',
    '$argon2i$v=19$m=4096,t=3,p=1$WRw8CfYC6Q1EMr4QmPhc7Q$bJlWsegK1/70hYJGfWPUTP6qteEqkFIKhqSnqrJXwEA',
  ],
  // argon2.low_level.hash_secret(password, b'0123456789abcdef', 3, 4096, 1, 32, Type.I, version=16)
  [
    'Argon2i version 16',
    '$argon2i$v=16$m=4096,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$+9l+WsuCotrWKxWNgKvKLLg2GOGwMjtcnI7s1Ci9bLU',
  ],
  // the same, as it was written before the field for the version existed
  [
    'Argon2i without a version',
    '$argon2i$m=4096,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$+9l+WsuCotrWKxWNgKvKLLg2GOGwMjtcnI7s1Ci9bLU',
  ],
  // hash_secret(password, b'0123456789abcdef', 2, 4096, 2, 32, Type.ID, version=16)
  [
    'Argon2id version 16',
    '$argon2id$v=16$m=4096,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$950zJmeFG3RJCp6tCFDrohqMzR5u/RhkaHuBVNrJF8M',
  ],
  // bcrypt.hashpw(password, bcrypt.gensalt(10)), and with prefixes 2a and 2y
  ['bcrypt 2b', '$2b$10$JKAMUKrvWE.uWj9U8fz40eXxcS7FpUceqKG.KTVPf1S5lHPI97.Qu'],
  ['bcrypt 2a', '$2a$04$9aJvl9wpusBNyHanm/sHned8LUmoMFOckoFprGByIYvEgEz2JAWsy'],
  ['bcrypt 2y', '$2y$04$Q/VvAC1pRE6kwwIQKIOjfuLofTp5VE3uA15Z6VnRYOZaQLFoENrTK'],
  // passlib.hash.pbkdf2_sha256.hash(password); the others .using(rounds=1000)
  [
    'passlib pbkdf2_sha256, default rounds',
    '$pbkdf2-sha256$29000$undOSclZa.09x9jbW.udMw$n4T8cRCeI29HLTcRpMSvPLJtEaePlMYtEiFp7zlDJdY',
  ],
  [
    'passlib pbkdf2_sha256',
    '$pbkdf2-sha256$1000$cW7NWet9r5VyDiFEqJWyNg$1IAAI5/3Q7aB.CJh47bQuZf5n1NIfqfYCDheBLZqcoo',
  ],
  [
    'passlib pbkdf2_sha512',
    '$pbkdf2-sha512$1000$M.Y8x/jf./9/792bs9aaMw$.aQrIUPihxhHqTZfCfNJtEuBHL3r11IYg2FibJ0Z2R5ZzKsP2jvkV.2/inur6u0FNpSHZa3nQD1Xpsf6lk7QnA',
  ],
  ['passlib pbkdf2_sha1', '$pbkdf2$1000$D0HIGWPsnfM.5/xfq/X.3w$LlUaIK9BfHPlQysEzEJXMNswnN0'],
  // passlib.hash.scrypt.using(rounds=12).hash(password)
  [
    'passlib scrypt',
    '$scrypt$ln=12,r=8,p=1$5RzDGMMYY8y5V4qRsvYeYw$pfjSk38WQEnOiezvutki/6y3ALf8EMebQkuOFpG5Xr8',
  ],
  // django.contrib.auth.hashers: each hasher's encode(password, salt()) with 1000 iterations, N = 4096 or 4 rounds
  [
    'Django PBKDF2PasswordHasher',
    'pbkdf2_sha256$1000$nJR0FlYIHf6eyS1infx0RJ$oNpWOX+BVNqn2giCau5Oq7kw109nbnR6yfZ/vlYqL14=',
  ],
  ['Django PBKDF2SHA1PasswordHasher', 'pbkdf2_sha1$1000$1z470yk468Uacx9C92ZXoT$4pSTKO4bmgwseg24mOwUBlrKyS4='],
  [
    'Django Argon2PasswordHasher',
    'argon2$argon2id$v=19$m=1024,t=2,p=8$bHlFNm9DSlphWDZYWDJFcUk5NkhNeA$y5rqaZuRSOHZp+QRg1pjbikXUWLw3rSVp+TIVZDWjrY',
  ],
  [
    'Django BCryptSHA256PasswordHasher',
    'bcrypt_sha256$$2b$04$7zN7r5lVrKK6poVAXmqejO1FGA/SHZt8opDkk2Ns6.fAXBB1MSXRS',
  ],
  ['Django BCryptPasswordHasher', 'bcrypt$$2b$04$y4OmBwhhmrJ3fk/zzGN0/OzmPDGhCHb2oO4.fXw5FR.d.9cKBGOUK'],
  [
    'Django ScryptPasswordHasher',
    'scrypt$4096$Y6XxRqqhFX2sv7Jf1xqMBx$8$5$zsQnDHxKCfLtQyvPTtGLT9BoiduDnYHw9k6a9mFJLbbxAVlej0m+kJRx+/G4sQFMCkP/Cc4h6EvzJEf0WYlrFg==',
  ],
  // werkzeug.security.generate_password_hash(password, method)
  [
    'Werkzeug pbkdf2:sha256:1000',
    'pbkdf2:sha256:1000$IbNZu7Akzzf3a3gV$909796ef558a6ead7d06fabc6ea3e91bfab939e8abb2e911384b192647497628',
  ],
  ['Werkzeug pbkdf2:sha1:1000', 'pbkdf2:sha1:1000$oknw4YpDHC2kQs4H$ccb88b9e3e981fc6ca77b7d007fd8dc03e1f3016'],
  [
    'Werkzeug pbkdf2:sha512:1000',
    'pbkdf2:sha512:1000$sSF8jYx1kZqlYmlu$7a2acfcea36a50fb6f5fcebfc8b352f0df592f95dc859f834ed601ad50b1bcba613357c86734eea3cb00b1edb23551a6b72a90101ed151a3a1f917a2c2e23d79',
  ],
  [
    'Werkzeug scrypt, default parameters',
    'scrypt:32768:8:1$KqdpHYAUSOGBX0kN$143eb4f09e4bae5c8113a6427b2eba96630e0c510d6a2ec9954ccfd365cad20cdff28692dfeaa3bc30244e2b70ec5d21e365148d7e503c8ba46affafd7b5243f',
  ],
  // '$pbkdf2-sha256$i=1000,l=32$' with salt and hashlib.pbkdf2_hmac('sha256', ...) in unpadded Base64
  [
    'PHC PBKDF2',
    '$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$BAUzdMgD6dWNxiLJAQCyOeN3Ls8iQGGgZPH10us8I30',
  ],
];

/** Made by `hashPassword`; `verify` of pwdlib 0.3.1 and of argon2-cffi 25.1.0 accepted both. */
const ours = [
  '$argon2id$v=19$m=65536,t=3,p=4$zMN5TPDCv8EEoOX+OJSgpQ$3IlhN9YEC0LdP4nDkhhjfNEoZNC+awttAoujd6R93X4',
  '$argon2id$v=19$m=19456,t=2,p=1$O4Z4eEoVc39Z6YNGqcuEgg$qVRE9B2L21TxoAuTQ5eYq2ifMmW/Nhgghs/2HnDTuns',
];

describe('hashes of other implementations', () => {
  for (const [name, hash] of foreign) {
    test(name, async () => {
      assert.equal(await verifyPassword(password, hash), true);
      assert.equal(await verifyPassword(decomposed, hash), true);
      assert.equal(await verifyPassword(`${password}x`, hash), false);
      assert.equal(await verifyPassword('', hash), false);

      const description = JSON.stringify(describeHash(hash));
      assert.doesNotMatch(description, /refused/);
      for (const part of hash.split('$').filter((text) => text.length >= 12)) {
        assert.ok(!description.includes(part));
      }
    });
  }

  test('a password that was hashed as typed, not in NFC, verifies as typed', async () => {
    // pwdlib: PasswordHash.recommended().hash(unicodedata.normalize('NFD', password))
    const hash =
      '$argon2id$v=19$m=65536,t=3,p=4$j21z516MyRTGn9pD6xYOQw$ulcVaW/lgtFbZppP8ZWh3q0umjioMBsuJYgYaSGHxD0';
    assert.equal(await verifyPassword(decomposed, hash), true);
    assert.equal(await verifyPassword(password, hash), false);
  });

  test('bcrypt compares the first 72 bytes', async () => {
    // bcrypt.hashpw(b'x' * 72, bcrypt.gensalt(4))
    const hash = '$2b$04$Nspis8zm8DaQ8b.H7iFIwugi5TCU7o/o/69nDbAgTcsteZjRZx9VS';
    assert.equal(await verifyPassword('x'.repeat(72), hash), true);
    assert.equal(await verifyPassword(`${'x'.repeat(72)}y`, hash), true);
    assert.equal(await verifyPassword('x'.repeat(71), hash), false);
  });
});

describe('hashPassword', () => {
  test('literal hashes of ours still verify', async () => {
    for (const hash of ours) {
      assert.equal(await verifyPassword(password, hash), true);
      assert.equal(await verifyPassword(`${password} `, hash), false);
    }
  });

  test('makes Argon2id version 19, by default with the parameters of pwdlib', async () => {
    assert.match(
      await hashPassword(password),
      /^\$argon2id\$v=19\$m=65536,t=3,p=4\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
    );
    assert.match(await hashPassword(password, cheap), /^\$argon2id\$v=19\$m=64,t=1,p=1\$/);
  });

  test('salts: the same password never gives the same hash', async () => {
    assert.notEqual(await hashPassword(password, cheap), await hashPassword(password, cheap));
  });

  test('both Unicode forms are one password', async () => {
    assert.notEqual(password, decomposed);
    assert.equal(await verifyPassword(password, await hashPassword(decomposed, cheap)), true);
    assert.equal(await verifyPassword(decomposed, await hashPassword(password, cheap)), true);
  });

  test('any password verifies against its own hash and no other: nothing is trimmed or truncated', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 200 });
    const suffix = fc.constantFrom(' ', '\n', 'a', '\u00e9');
    await fc.assert(
      fc.asyncProperty(text, suffix, async (typed, more) => {
        const hash = await hashPassword(typed, cheap);
        assert.equal(await verifyPassword(typed, hash), true);
        assert.equal(await verifyPassword(typed + more, hash), false);
        assert.equal(await verifyPassword(more + typed, hash), false);
      }),
      { numRuns: 50 },
    );
  });
});

describe('refused hashes', () => {
  const salt = 'MDEyMzQ1Njc4OWFiY2RlZg';
  const digest = 'BAUzdMgD6dWNxiLJAQCyOeN3Ls8iQGGgZPH10us8I30';
  const hex = '90'.repeat(32);
  const bcryptTail = 'JKAMUKrvWE.uWj9U8fz40eXxcS7FpUceqKG.KTVPf1S5lHPI97.Qu';
  const refused: readonly (readonly [hash: string, reason: RegExp])[] = [
    [`$argon2id$v=19$m=4294967295,t=1,p=1$${salt}$${digest}`, /memory/],
    [`$argon2id$v=19$m=9999999999,t=1,p=1$${salt}$${digest}`, /memory/],
    [`$argon2id$v=19$m=${storedHashBounds.argon2MemoryKib + 1},t=1,p=1$${salt}$${digest}`, /memory/],
    [`$argon2id$v=19$m=0,t=1,p=1$${salt}$${digest}`, /memory/],
    [`$argon2id$v=19$m=31,t=1,p=4$${salt}$${digest}`, /memory/],
    [`$argon2id$v=19$m=65536,t=0,p=4$${salt}$${digest}`, /passes/],
    [`$argon2id$v=19$m=64,t=1025,p=1$${salt}$${digest}`, /passes/],
    [`$argon2id$v=19$m=1048576,t=5,p=4$${salt}$${digest}`, /passes/],
    [`$argon2id$v=19$m=65536,t=3,p=0$${salt}$${digest}`, /lanes/],
    [`$argon2id$v=19$m=65536,t=3,p=65$${salt}$${digest}`, /lanes/],
    [`$argon2id$v=19$m=65536,t=3,p=4$MDEyMzQ1$${digest}`, /salt/],
    [`$argon2id$v=19$m=65536,t=3,p=4$${salt}$BAUzdMgD6dWN`, /length/],
    [`$argon2id$v=19$m=65536,t=3,p=4$${salt}$${'A'.repeat(100)}`, /length/],
    [`$argon2id$v=18$m=65536,t=3,p=4$${salt}$${digest}`, /malformed/],
    [`$argon2d$v=19$m=65536,t=3,p=4$${salt}$${digest}`, /malformed/],
    [`$argon2id$v=19$m=65536,t=3,p=4,keyid=AA$${salt}$${digest}`, /malformed/],
    [`$argon2id$v=19$m=65536,t=3,p=4$${salt}$${digest}\n`, /malformed/],
    [`$argon2id$v=19$m=65536,t=3,p=4$${salt}$${digest}${' '.repeat(512)}`, /too long/],
    [`$2b$17$${bcryptTail}`, /cost/],
    [`$2b$31$${bcryptTail}`, /cost/],
    [`$2b$03$${bcryptTail}`, /cost/],
    [`$2x$10$${bcryptTail}`, /malformed/],
    [`$2b$10$${bcryptTail.slice(1)}`, /malformed/],
    [`$scrypt$ln=21,r=8,p=1$${salt}$${digest}`, /cost/],
    [`$scrypt$ln=99,r=8,p=1$${salt}$${digest}`, /cost/],
    [`$scrypt$ln=14,r=8,p=9999999999$${salt}$${digest}`, /cost/],
    [`$scrypt$ln=14,r=0,p=1$${salt}$${digest}`, /cost/],
    [`$scrypt$ln=0,r=8,p=1$${salt}$${digest}`, /scrypt N/],
    [`$scrypt$ln=16,r=1,p=1$${salt}$${digest}`, /scrypt N/],
    [`scrypt:1000:8:1$salt$${hex}`, /scrypt N/],
    [`scrypt$9999999999$salt$8$1$${digest}=`, /cost/],
    [`scrypt:16384:8:1$salt$90`, /length/],
    [`$pbkdf2-sha256$10000001$${salt}$${digest}`, /iterations/],
    [`pbkdf2:sha256:9999999999$salt$${hex}`, /iterations/],
    [`pbkdf2_sha256$0$salt$${digest}=`, /iterations/],
    [`pbkdf2_sha256$1000$salt$AAAA`, /length/],
    [`$pbkdf2-sha256$i=1000,l=31$${salt}$${digest}`, /malformed/],
    [`pbkdf2:md5:1000$salt$${hex}`, /malformed/],
    ['', /malformed/],
    ['!', /malformed/],
    [password, /malformed/],
    ['$1$saltsalt$0123456789012345678901', /malformed/],
  ];
  for (const [hash, reason] of refused) {
    test(hash.slice(0, 60) || 'the empty text', async () => {
      const description = describeHash(hash);
      assert.ok('refused' in description);
      assert.match(description.refused, reason);
      assert.equal(await verifyPassword(password, hash), false);
      assert.equal(needsRehash(hash), true);
    });
  }

  test('the largest parameters within the bounds are not refused', () => {
    for (const hash of [
      `$argon2id$v=19$m=1048576,t=4,p=64$${salt}$${digest}`,
      `$argon2id$v=19$m=64,t=1024,p=1$${salt}$${digest}`,
      `$2b$16$${bcryptTail}`,
      `$scrypt$ln=20,r=8,p=1$${salt}$${digest}`,
      `$pbkdf2-sha256$10000000$${salt}$${digest}`,
    ]) {
      assert.ok(!('refused' in describeHash(hash)), hash);
    }
  });

  test('no text makes verification throw, or true', async () => {
    const damaged = fc
      .tuple(fc.constantFrom(...foreign.map(([, hash]) => hash)), fc.nat(), fc.string({ maxLength: 3 }))
      .map(([hash, at, text]) => hash.slice(0, at % hash.length) + text + hash.slice((at % hash.length) + 1));
    // Cheap cases only: what is merely slow is not what this looks for.
    const affordable = (hash: string) => {
      const found = describeHash(hash);
      if ('refused' in found) return true;
      if (found.algorithm === 'bcrypt') return found.cost <= 6;
      if (found.algorithm === 'pbkdf2') return found.iterations <= 100_000;
      if (found.algorithm === 'scrypt') return found.n * found.r * found.p <= 2 ** 16;
      return found.memoryKib * found.passes <= 2 ** 16;
    };
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string({ maxLength: 600 }), damaged).filter(affordable),
        async (hash) => (await verifyPassword('another password', hash)) === false,
      ),
      { numRuns: 500 },
    );
  });
});

test('verification leaves the event loop free', async () => {
  const [, bcryptHash = ''] = foreign.find(([name]) => name === 'bcrypt 2b') ?? [];
  const [, scryptHash = ''] = foreign.find(([name]) => name.startsWith('Werkzeug scrypt')) ?? [];
  for (const hash of [bcryptHash, scryptHash, ours[0] ?? '']) {
    let verified = false;
    const verification = verifyPassword(password, hash).then((right) => {
      verified = right;
    });
    await new Promise(setImmediate);
    assert.equal(verified, false);
    await verification;
    assert.equal(verified, true);
  }
});

test('needsRehash', () => {
  const [standard = '', weaker = ''] = ours;
  const cases: readonly (readonly [string, boolean])[] = [
    [standard, false],
    [weaker, true],
    [standard.replace('v=19', 'v=16'), true],
    [standard.replace('$v=19', ''), true],
    [standard.replace('argon2id', 'argon2i'), true],
    [standard.replace('m=65536', 'm=65535'), true],
    [standard.replace('t=3', 't=4'), true],
    [standard.replace('p=4', 'p=1'), true],
    [`argon2${standard}`, true],
    [standard.slice(0, -1), true],
    [`${standard}A`, true],
  ];
  for (const [hash, expected] of cases) assert.equal(needsRehash(hash), expected, hash);
  for (const [name, hash] of foreign) {
    assert.equal(needsRehash(hash), name !== 'argon2-cffi' && name !== 'pwdlib', name);
  }
  assert.equal(needsRehash(weaker, { memoryKib: 19456, passes: 2, lanes: 1 }), false);
});

test('decoyHash has the cost that is asked for, is never the same and matches nothing', async () => {
  const hash = decoyHash(cheap);
  assert.deepEqual(describeHash(hash), { algorithm: 'argon2id', version: 19, ...cheap });
  assert.equal(needsRehash(hash, cheap), false);
  assert.equal(await verifyPassword(password, hash), false);
  assert.notEqual(hash, decoyHash(cheap));
  assert.equal(needsRehash(decoyHash()), false);
});

test('argon2BelowOwaspMinimum', () => {
  const cases: readonly (readonly [memoryKib: number, passes: number, below: boolean])[] = [
    [47104, 1, false],
    [47103, 1, true],
    [19456, 2, false],
    [19455, 2, true],
    [12288, 3, false],
    [9216, 4, false],
    [7168, 5, false],
    [7167, 100, true],
    [19456, 1, true],
    [1048576, 0, true],
  ];
  for (const [memoryKib, passes, below] of cases) {
    assert.equal(argon2BelowOwaspMinimum({ memoryKib, passes, lanes: 1 }), below, `${memoryKib}/${passes}`);
  }
  assert.equal(argon2BelowOwaspMinimum(defaultArgon2Parameters), false);
});
