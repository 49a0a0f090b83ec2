import { createHash, pbkdf2, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { hash as argon2, hashRaw as argon2Raw } from '@node-rs/argon2';

/** What one Argon2id hash costs. Memory is in KiB, for all lanes together. */
export interface Argon2Parameters {
  memoryKib: number;
  passes: number;
  lanes: number;
}

/** The parameters of pwdlib and argon2-cffi, so that neither side rehashes what the other made. */
export const defaultArgon2Parameters: Argon2Parameters = { memoryKib: 65536, passes: 3, lanes: 4 };

/**
 * What a stored hash may ask of this process. One hash planted in the database, or imported, must not be able to take
 * the memory or hold a hash slot for minutes; the largest of each takes seconds.
 */
export const storedHashBounds = {
  textLength: 512,
  /** Fewer would make a guessed or truncated hash match by chance. */
  minHashBytes: 16,
  maxHashBytes: 64,
  argon2MemoryKib: 1024 * 1024,
  argon2Passes: 1024,
  argon2Lanes: 64,
  /** 1 GiB passed over four times: libsodium's `SENSITIVE`. */
  argon2MemoryKibTimesPasses: 4 * 1024 * 1024,
  bcryptCost: 16,
  /** 128·N·r·p: memory for p = 1, and time in the same measure for more. */
  scryptBytes: 1024 * 1024 * 1024,
  pbkdf2Iterations: 10_000_000,
} as const;

/** Parameter sets of equal strength, the least that the OWASP Password Storage Cheat Sheet allows for Argon2id. */
const owaspMinima = [
  { memoryKib: 47104, passes: 1 },
  { memoryKib: 19456, passes: 2 },
  { memoryKib: 12288, passes: 3 },
  { memoryKib: 9216, passes: 4 },
  { memoryKib: 7168, passes: 5 },
];

/** Whether these parameters are weaker than every one of OWASP's minimum sets. */
export function argon2BelowOwaspMinimum({ memoryKib, passes }: Argon2Parameters): boolean {
  return !owaspMinima.some((minimum) => memoryKib >= minimum.memoryKib && passes >= minimum.passes);
}

/** A stored hash's algorithm and cost, or why it is refused; holds neither salt nor digest, so it may be logged. */
export type HashDescription =
  | ({ algorithm: 'argon2id' | 'argon2i'; version: 16 | 19 } & Argon2Parameters)
  | { algorithm: 'bcrypt'; cost: number }
  | { algorithm: 'scrypt'; n: number; r: number; p: number }
  | { algorithm: 'pbkdf2'; digest: string; iterations: number }
  | { refused: string };

type StoredHash =
  | { description: HashDescription; matches: (password: string) => Promise<boolean> }
  | { refused: string };

type Fields = Record<'m' | 't' | 'n' | 'r' | 'p' | 'cost' | 'iterations' | 'salt' | 'hash', string> &
  Partial<Record<'type' | 'version' | 'digest' | 'length' | 'sha256', string>>;

const scryptKey = promisify<string, Buffer | string, number, object, Buffer>(scrypt);
const pbkdf2Key = promisify(pbkdf2);

/** Base64 with or without padding; passlib's own alphabet has `.` for `+`. */
function base64(text: string): Buffer {
  return Buffer.from(text.replaceAll('.', '+'), 'base64');
}

function hasUsualLength({ length }: Buffer): boolean {
  return length >= storedHashBounds.minHashBytes && length <= storedHashBounds.maxHashBytes;
}

function readArgon2(fields: Fields): StoredHash {
  const memoryKib = Number(fields.m);
  const passes = Number(fields.t);
  const lanes = Number(fields.p);
  const salt = base64(fields.salt);
  const expected = base64(fields.hash);
  if (lanes < 1 || lanes > storedHashBounds.argon2Lanes) return { refused: 'Argon2 lanes out of bounds' };
  if (memoryKib < 8 * lanes || memoryKib > storedHashBounds.argon2MemoryKib) {
    return { refused: 'Argon2 memory out of bounds' };
  }
  if (
    passes < 1 ||
    passes > storedHashBounds.argon2Passes ||
    memoryKib * passes > storedHashBounds.argon2MemoryKibTimesPasses
  ) {
    return { refused: 'Argon2 passes out of bounds' };
  }
  if (salt.length < 8) return { refused: 'Argon2 salt too short' };
  if (!hasUsualLength(expected)) return { refused: 'hash length out of bounds' };

  const algorithm = fields.type === 'i' ? 'argon2i' : 'argon2id';
  // Before version 19 the PHC string had no version field.
  const version = fields.version === '19' ? 19 : 16;
  const options = {
    algorithm: algorithm === 'argon2i' ? 1 : 2,
    version: version === 19 ? 1 : 0,
    memoryCost: memoryKib,
    timeCost: passes,
    parallelism: lanes,
    outputLen: expected.length,
    salt,
  };
  return {
    description: { algorithm, version, memoryKib, passes, lanes },
    matches: async (password) => timingSafeEqual(await argon2Raw(password, options), expected),
  };
}

/** bcrypt itself ignores what follows the 72nd byte of a password; such a password is compared as bcrypt made it. */
function readBcrypt(fields: Fields): StoredHash {
  const cost = Number(fields.cost);
  if (cost < 4 || cost > storedHashBounds.bcryptCost) return { refused: 'bcrypt cost out of bounds' };
  return {
    description: { algorithm: 'bcrypt', cost },
    async matches(password) {
      // With the first such hash: most servers have none, and need not have its machine code in memory.
      const { verify } = await import('@node-rs/bcrypt');
      return verify(
        // Django's bcrypt_sha256 hashes the hexadecimal digest of the password.
        fields.sha256 === undefined ? password : createHash('sha256').update(password).digest('hex'),
        fields.hash,
      );
    },
  };
}

function readScrypt(n: number, r: number, p: number, salt: Buffer | string, expected: Buffer): StoredHash {
  if (r < 1 || p < 1 || n * r * p * 128 > storedHashBounds.scryptBytes) {
    return { refused: 'scrypt cost out of bounds' };
  }
  // RFC 7914 section 2: N is a power of 2, larger than 1 and less than 2^(128 * r / 8).
  if (n < 2 || !Number.isInteger(Math.log2(n)) || Math.log2(n) >= 16 * r) {
    return { refused: 'scrypt N out of bounds' };
  }
  if (!hasUsualLength(expected)) return { refused: 'hash length out of bounds' };
  const options = { N: n, r, p, maxmem: 2 * storedHashBounds.scryptBytes };
  return {
    description: { algorithm: 'scrypt', n, r, p },
    matches: async (password) =>
      timingSafeEqual(await scryptKey(password, salt, expected.length, options), expected),
  };
}

function readPbkdf2(digest: string, iterations: number, salt: Buffer | string, expected: Buffer): StoredHash {
  if (iterations < 1 || iterations > storedHashBounds.pbkdf2Iterations) {
    return { refused: 'PBKDF2 iterations out of bounds' };
  }
  if (!hasUsualLength(expected)) return { refused: 'hash length out of bounds' };
  return {
    description: { algorithm: 'pbkdf2', digest, iterations },
    matches: async (password) =>
      timingSafeEqual(await pbkdf2Key(password, salt, iterations, expected.length, digest), expected),
  };
}

const formats: readonly (readonly [pattern: RegExp, read: (fields: Fields) => StoredHash])[] = [
  [
    // PHC; Django puts `argon2` before it.
    /^(?:argon2)?\$argon2(?<type>id?)(?:\$v=(?<version>16|19))?\$m=(?<m>\d{1,10}),t=(?<t>\d{1,10}),p=(?<p>\d{1,10})\$(?<salt>[A-Za-z\d+/]+)\$(?<hash>[A-Za-z\d+/]+)$/,
    readArgon2,
  ],
  [
    // Modular crypt; Django puts `bcrypt$` or `bcrypt_sha256$` before it.
    /^(?:bcrypt(?<sha256>_sha256)?\$)?(?<hash>\$2[aby]\$(?<cost>\d\d)\$[./A-Za-z0-9]{53})$/,
    readBcrypt,
  ],
  [
    // passlib
    /^\$scrypt\$ln=(?<n>\d{1,2}),r=(?<r>\d{1,10}),p=(?<p>\d{1,10})\$(?<salt>[A-Za-z\d+/.]+)\$(?<hash>[A-Za-z\d+/.]+)$/,
    ({ n, r, p, salt, hash }) => readScrypt(2 ** Number(n), Number(r), Number(p), base64(salt), base64(hash)),
  ],
  [
    // Django
    /^scrypt\$(?<n>\d{1,10})\$(?<salt>[^$]+)\$(?<r>\d{1,10})\$(?<p>\d{1,10})\$(?<hash>[A-Za-z\d+/]+=*)$/,
    ({ n, r, p, salt, hash }) => readScrypt(Number(n), Number(r), Number(p), salt, base64(hash)),
  ],
  [
    // Werkzeug
    /^scrypt:(?<n>\d{1,10}):(?<r>\d{1,10}):(?<p>\d{1,10})\$(?<salt>[^$]+)\$(?<hash>(?:[\da-f]{2})+)$/,
    ({ n, r, p, salt, hash }) => readScrypt(Number(n), Number(r), Number(p), salt, Buffer.from(hash, 'hex')),
  ],
  [
    // passlib, whose plain `pbkdf2` is SHA-1
    /^\$pbkdf2(?:-(?<digest>sha256|sha512))?\$(?<iterations>\d{1,10})\$(?<salt>[A-Za-z\d+/.]+)\$(?<hash>[A-Za-z\d+/.]+)$/,
    ({ digest = 'sha1', iterations, salt, hash }) =>
      readPbkdf2(digest, Number(iterations), base64(salt), base64(hash)),
  ],
  [
    // PHC
    /^\$pbkdf2-(?<digest>sha256|sha512)\$i=(?<iterations>\d{1,10})(?:,l=(?<length>\d{1,10}))?\$(?<salt>[A-Za-z\d+/]+)\$(?<hash>[A-Za-z\d+/]+)$/,
    ({ digest = '', iterations, length, salt, hash }) => {
      const expected = base64(hash);
      if (length !== undefined && Number(length) !== expected.length) return { refused: 'malformed hash' };
      return readPbkdf2(digest, Number(iterations), base64(salt), expected);
    },
  ],
  [
    // Django
    /^pbkdf2_(?<digest>sha1|sha256)\$(?<iterations>\d{1,10})\$(?<salt>[^$]+)\$(?<hash>[A-Za-z\d+/]+=*)$/,
    ({ digest = '', iterations, salt, hash }) => readPbkdf2(digest, Number(iterations), salt, base64(hash)),
  ],
  [
    // Werkzeug
    /^pbkdf2:(?<digest>sha1|sha256|sha512):(?<iterations>\d{1,10})\$(?<salt>[^$]+)\$(?<hash>(?:[\da-f]{2})+)$/,
    ({ digest = '', iterations, salt, hash }) =>
      readPbkdf2(digest, Number(iterations), salt, Buffer.from(hash, 'hex')),
  ],
];

function readHash(hash: string): StoredHash {
  if (hash.length > storedHashBounds.textLength) return { refused: 'hash text too long' };
  for (const [pattern, read] of formats) {
    const fields = pattern.exec(hash)?.groups;
    if (fields) return read(fields as Fields);
  }
  return { refused: 'unknown or malformed hash' };
}

/** The algorithm and cost of a stored hash, or the reason for which `verifyPassword` refuses it. Computes nothing. */
export function describeHash(hash: string): HashDescription {
  const stored = readHash(hash);
  return 'refused' in stored ? stored : stored.description;
}

/**
 * Argon2id (RFC 9106) of the NFC form of the password, with a random 16-byte salt, as a PHC string. Runs in libuv's
 * thread pool; the password is neither trimmed nor truncated.
 */
export function hashPassword(
  password: string,
  { memoryKib, passes, lanes }: Argon2Parameters = defaultArgon2Parameters,
): Promise<string> {
  return argon2(password.normalize('NFC'), {
    algorithm: 2,
    version: 1,
    memoryCost: memoryKib,
    timeCost: passes,
    parallelism: lanes,
    outputLen: 32,
  });
}

/**
 * Whether the password is the one that the hash was made from: Argon2id, Argon2i, bcrypt, scrypt or PBKDF2, in the
 * encodings of PHC, passlib, Django and Werkzeug. A hash that is unknown, malformed or asks for absurd resources gives
 * false, and `describeHash` tells why. Runs in libuv's thread pool.
 */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  const stored = readHash(hash);
  if ('refused' in stored) return false;
  const normalised = password.normalize('NFC');
  if (await stored.matches(normalised)) return true;
  // Others, the reference among them, hash a password as it was typed.
  return normalised !== password && stored.matches(password);
}

/**
 * A hash that no password has, for an account that does not exist: checking a password against it takes exactly the work
 * that a wrong password takes, the second attempt at a password that is not in NFC included.
 */
export function decoyHash({ memoryKib, passes, lanes }: Argon2Parameters = defaultArgon2Parameters): string {
  const random = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '');
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${random(16)}$${random(32)}`;
}

/** Whether a hash is anything but what `hashPassword` makes with these parameters. */
export function needsRehash(
  hash: string,
  { memoryKib, passes, lanes }: Argon2Parameters = defaultArgon2Parameters,
): boolean {
  const prefix = `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$`;
  // 16 and 32 bytes in unpadded Base64.
  return !hash.startsWith(prefix) || !/^[A-Za-z\d+/]{22}\$[A-Za-z\d+/]{43}$/.test(hash.slice(prefix.length));
}
