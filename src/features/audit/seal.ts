import { createHmac, createPrivateKey, createPublicKey, timingSafeEqual } from 'node:crypto';
import { CompactSign, compactVerify, decodeProtectedHeader } from 'jose';
import { deriveKey } from '../../crypto/derived-keys.ts';

/** Where a chain stands. */
export interface Head {
  readonly chain: number;
  /** Of the newest event; 0 when there was none. */
  readonly position: number;
  readonly hash: string;
}

/** A head as it is stored, beside its events. */
export interface ChainRow extends Head {
  /** Of the newest event that retention removed. The chain is checked from here. */
  readonly base_position: number;
  readonly base_hash: string;
  /** The first event after the chain was found to be tampered with. Null again when retention has passed it. */
  readonly broken_at: number | null;
  readonly mac: string;
}

/** Whether it is as the migration leaves it, or as somebody who can write the database makes it look. */
export function isUnused({ position, hash, base_position, base_hash, broken_at, mac }: ChainRow): boolean {
  return `${position}${hash}${base_position}${base_hash}${mac}` === '00' && broken_at === null;
}

/** What is signed now and then: where all chains stand. */
export interface Checkpoint {
  /** From 1, without a gap. */
  readonly number: number;
  readonly time: string;
  readonly heads: readonly Head[];
  /** SHA-256 of the statement before. */
  readonly previous: string | null;
}

/** What an export ends with: which part of each chain it holds. */
export interface ExportStatement {
  readonly time: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly chains: readonly ExportedChain[];
}

/** The part of a chain that an export holds: what comes after `after`, up to `last`. */
export interface ExportedChain {
  readonly chain: number;
  readonly after: Omit<Head, 'chain'>;
  readonly last: Omit<Head, 'chain'>;
  /** Whether the chain's head was found to be as Doorward wrote it. */
  readonly is_sound: boolean;
}

interface Statements {
  'audit-checkpoint': Checkpoint;
  'audit-export': ExportStatement;
}

/** What proves that Doorward wrote it. The keys come from SECRET_KEY, which is not in the database. */
export interface Seal {
  /** The Ed25519 public key that verifies statements (base64url). */
  readonly publicKey: string;
  /** The row with its mac. */
  close(row: Omit<ChainRow, 'mac'>): ChainRow;
  isAuthentic(row: ChainRow): boolean;
  /** A compact JWS (RFC 7515). */
  sign<Type extends keyof Statements>(type: Type, statement: Statements[Type]): Promise<string>;
}

/** An Ed25519 private key in PKCS #8 (RFC 8410) is this, followed by its 32 bytes. */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

export function createSeal(secretKey: string): Seal {
  const macKey = deriveKey(secretKey, 'audit-head');
  const privateKey = createPrivateKey({
    key: Buffer.concat([pkcs8Prefix, deriveKey(secretKey, 'audit-statement').export()]),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = String(createPublicKey(privateKey).export({ format: 'jwk' }).x);
  const mac = ({ chain, position, hash, base_position, base_hash, broken_at }: Omit<ChainRow, 'mac'>) =>
    createHmac('sha256', macKey)
      .update(JSON.stringify([chain, position, hash, base_position, base_hash, broken_at]))
      .digest('base64url');
  return {
    publicKey,
    close: (row) => ({ ...row, mac: mac(row) }),
    isAuthentic(row) {
      const [given, expected] = [Buffer.from(String(row.mac)), Buffer.from(mac(row))];
      return given.length === expected.length && timingSafeEqual(given, expected);
    },
    sign: (type, statement) =>
      new CompactSign(new TextEncoder().encode(JSON.stringify(statement)))
        .setProtectedHeader({ alg: 'EdDSA', typ: type, kid: publicKey })
        .sign(privateKey),
  };
}

/** What a statement says, if that key signed it as such a statement; undefined otherwise. */
export async function openStatement<Type extends keyof Statements>(
  type: Type,
  jws: string,
  publicKey: string,
): Promise<Statements[Type] | undefined> {
  try {
    const key = { kty: 'OKP', crv: 'Ed25519', x: publicKey };
    const { payload, protectedHeader } = await compactVerify(jws, key, { algorithms: ['EdDSA'] });
    return protectedHeader.typ === type ? JSON.parse(new TextDecoder().decode(payload)) : undefined;
  } catch {
    return undefined;
  }
}

/** What a checkpoint says and which key it says to be signed with, unverified: good enough to find a contradiction. */
export function readCheckpoint(jws: string): { checkpoint: Checkpoint; publicKey: string } | undefined {
  try {
    const { typ, kid } = decodeProtectedHeader(jws);
    const checkpoint: Checkpoint = JSON.parse(
      Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8'),
    );
    const isOne =
      typ === 'audit-checkpoint' &&
      typeof kid === 'string' &&
      Number.isSafeInteger(checkpoint.number) &&
      Array.isArray(checkpoint.heads) &&
      checkpoint.heads.every(
        ({ chain, position, hash }) =>
          Number.isSafeInteger(chain) && Number.isSafeInteger(position) && typeof hash === 'string',
      );
    return isOne ? { checkpoint, publicKey: kid } : undefined;
  } catch {
    return undefined;
  }
}
