import messages from '../../messages/en/shared.json';
import type { Mail } from '../mail-state.tsx';

/** Which mails are shown, as the link carries it. */
export interface OutboxSearch {
  state?: Mail['state'] | undefined;
  kind?: Mail['kind'] | undefined;
  user_id?: number | undefined;
  /** The whole address. */
  to?: string | undefined;
}

export const mailStates = Object.keys(messages.mail_states) as Mail['state'][];
export const mailKinds = Object.keys(messages.mail_kinds) as Mail['kind'][];

/** What a link says that makes sense; the rest of it is passed over. */
export function readOutboxSearch(search: Record<string, unknown>): OutboxSearch {
  const { user_id, to } = search;
  return {
    state: mailStates.find((state) => state === search.state),
    kind: mailKinds.find((kind) => kind === search.kind),
    user_id: Number.isSafeInteger(user_id) ? Number(user_id) : undefined,
    to: typeof to === 'string' && to !== '' ? to : undefined,
  };
}
