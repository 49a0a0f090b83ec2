import { hkdfSync } from 'node:crypto';

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

/** 32 bytes for one purpose (HKDF with SHA-256, RFC 5869). */
export function deriveKey(secretKey: string, purpose: KeyPurpose): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secretKey, '', `doorward/${purpose}`, 32));
}
