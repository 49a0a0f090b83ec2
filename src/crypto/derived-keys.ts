import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

/** What keys are derived from SECRET_KEY for. Each purpose has its own, so that no use of one helps against another. */
export type KeyPurpose =
  | 'refresh-token'
  | 'signing-key-encryption'
  | 'setup-token'
  | 'secret-key-check'
  | 'throttle-counter'
  | 'device-token'
  | 'mail-code'
  | 'audit-head'
  | 'audit-statement'
  | 'outbox-secret';

/**
 * 32 bytes for one purpose (HKDF with SHA-256, RFC 5869), as a key object: Node would make one of bytes at each use, which
 * takes several times as long as an HMAC.
 */
export function deriveKey(secretKey: string, purpose: KeyPurpose): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secretKey, '', `doorward/${purpose}`, 32)));
}
