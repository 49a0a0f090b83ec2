import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';

const ivLength = 12;
const tagLength = 16;

/** Encrypts a text (AES-256-GCM) so that it opens only with the key and beside the `context` it was sealed for. */
export function sealText(key: KeyObject, text: string, context: string): string {
  const iv = randomBytes(ivLength);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(context));
  const sealed = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64url');
}

/** The inverse of `sealText`; undefined for another key, another context, and what was tampered with. */
export function openText(key: KeyObject, sealed: string, context: string): string | undefined {
  const bytes = Buffer.from(sealed, 'base64url');
  if (bytes.length < ivLength + tagLength) return undefined;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivLength), {
      authTagLength: tagLength,
    });
    decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-tagLength));
    return Buffer.concat([
      decipher.update(bytes.subarray(ivLength, -tagLength)),
      decipher.final(),
    ]).toString();
  } catch {
    return undefined;
  }
}
