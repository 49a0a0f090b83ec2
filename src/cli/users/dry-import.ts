import { parseEmailAddress } from '../../email-address.ts';
import type { Accounts } from '../../features/accounts/index.ts';

/** Tells what `accounts.import` would, from batch to batch, and writes nothing. */
export function dryImport(accounts: Accounts): Accounts['import'] {
  const wouldBeTaken = new Set<string>();
  return async (imported) => {
    const outcomes: boolean[] = [];
    for (const { email } of imported) {
      const key = parseEmailAddress(email)?.email_key ?? email;
      outcomes.push(!wouldBeTaken.has(key) && (await accounts.findByEmail(email)) === undefined);
      wouldBeTaken.add(key);
    }
    return outcomes;
  };
}
