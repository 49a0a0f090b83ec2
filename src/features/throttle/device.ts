import { createHmac, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';

/** A device from which a user has logged in. */
export interface Device {
  readonly userId: number;
  /** How often the user's devices had been forgotten when it became known. */
  readonly epoch: number;
  readonly id: string;
}

/** Browsers keep no cookie longer (RFC 6265bis, 5.5), and each login from the device renews it. */
export const deviceTokenTtlSeconds = 400 * 86_400;

const tokenPattern = /^(([1-9]\d{0,15})\.(\d{1,15})\.([\w-]{16})\.(\d{1,12}))\.([\w-]{43})$/;

export function newDeviceId(): string {
  return randomBytes(12).toString('base64url');
}

const sign = (statement: string, key: KeyObject) =>
  createHmac('sha256', key).update(statement).digest('base64url');

/** What a device shows to be known again. It proves nothing else. */
export function createDeviceToken({ userId, epoch, id }: Device, key: KeyObject, now: Date): string {
  const statement = [userId, epoch, id, Math.floor(now.getTime() / 1000)].join('.');
  return `${statement}.${sign(statement, key)}`;
}

/** The device that a token names, or undefined for anything that is not a token of ours and of the last 400 days. */
export function readDeviceToken(token: string, key: KeyObject, now: Date): Device | undefined {
  const [, statement = '', userId, epoch, id = '', issuedAt, signature = ''] = tokenPattern.exec(token) ?? [];
  if (statement === '') return undefined;
  if (!timingSafeEqual(Buffer.from(signature), Buffer.from(sign(statement, key)))) return undefined;
  if (now.getTime() / 1000 - Number(issuedAt) >= deviceTokenTtlSeconds) return undefined;
  return { userId: Number(userId), epoch: Number(epoch), id };
}
