/**
 * The locks that transactions take (`db.lock`), in the order in which a transaction that needs several takes them.
 */

/** Held by whoever removes what is over, so that one instance at a time does. */
export const cleaningLock = 'cleaning';

/** Held while the number of active admins may fall or the first one is made. */
export const activeAdminsLock = 'active-admins';

/** Held while something changes that decides whether a user may have sessions: password, state, existence. */
export const userLock = (userId: number) => `user:${userId}`;

/**
 * Held while an account or an invitation comes to an address, by the identity of the address: whoever looks for either
 * under it finds what is there, and nothing comes meanwhile.
 */
export const addressLock = (emailKey: string) => `address:${emailKey}`;

/** Held while signing keys are made or withdrawn, or SECRET_KEY is changed. */
export const signingKeysLock = 'signing-keys';

/**
 * Held from the moment a revocation gets its number until it is committed, so that numbers appear in their order and
 * whoever has read up to one has missed none below it. Taken after all others.
 */
export const revocationsLock = 'revocations';
