import type { Transaction } from '../../database/database.ts';
import { hashPersonal } from './event.ts';
import { eraseEvent, listEventsOfPerson } from './store.ts';

const batchSize = 500;

/**
 * Makes unreadable what events say of a person, in those that the user caused and in those that nobody signed in caused to
 * the user. What remains are ids and hashes: the chain is proven as before. What an administrator did to the user stays
 * whole: where from is the administrator's. Returns how many there were.
 */
export async function erasePerson(tx: Transaction, userId: number): Promise<number> {
  for (let erased = 0; ; ) {
    const events = await listEventsOfPerson(tx, userId, batchSize);
    for (const event of events) await eraseEvent(tx, event.id, hashPersonal(event));
    erased += events.length;
    if (events.length < batchSize) return erased;
  }
}
