import { useState } from 'react';
import { ApiError } from '../shared/api.ts';
import { describeFailure } from '../shared/failures.ts';
import { canStore } from '../shared/storage.ts';

interface Held {
  /** The page that the link leads to; its token is of no use to others. */
  path: string;
  token: string;
}

const storageKey = 'doorward-link';
const refusals = ['invalid_link', 'link_from_another_browser'];

const isRefusal = (error: unknown, codes = refusals): error is ApiError =>
  error instanceof ApiError && codes.includes(error.code);

/**
 * The token of the mail's link that opened this document, until it is used up. This module is the first that a document
 * runs: the token is out of the address bar, and so of the history and of pictures of the screen, before anything is shown.
 */
let held = takeFromAddress() ?? takeFromReload();

// Another link, opened where a page stands already, changes nothing but the fragment.
addEventListener('hashchange', () => {
  const other = takeFromAddress();
  if (other === undefined) return;
  held = other;
  location.reload();
});

// The page in another language is a reload as well.
addEventListener('pagehide', () => {
  if (held !== undefined && canStore) sessionStorage.setItem(storageKey, JSON.stringify(held));
});

function takeFromAddress(): Held | undefined {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token === null) return undefined;
  history.replaceState(history.state, '', location.pathname + location.search);
  return { path: location.pathname, token };
}

function takeFromReload(): Held | undefined {
  if (!canStore) return undefined;
  const kept = sessionStorage.getItem(storageKey);
  sessionStorage.removeItem(storageKey);
  return kept === null ? undefined : JSON.parse(kept);
}

/** The link of a mail, on the page that it leads to. */
export interface MailLinkHere {
  /** Undefined when the page was opened without a link, or the link is no good. */
  readonly token: string | undefined;
  /** Why the link is no good. */
  readonly refusal: string | undefined;
  /** Asks what the link is good for, by `send`, and leaves it. Where it is good for nothing, the page goes on without it. */
  look<T>(token: string, send: (token: string) => Promise<T>): Promise<T>;
  /**
   * Uses the link up, by `send`. Where the server refuses the link itself, the page goes on without it: by the code of the
   * mail. Any other failure is thrown, and leaves it.
   */
  redeem(token: string, send: (token: string) => Promise<unknown>): Promise<void>;
}

export function useMailLink(): MailLinkHere {
  const [token, setToken] = useState(held?.path === location.pathname ? held.token : undefined);
  const [refusal, setRefusal] = useState<string>();
  const goOnWithout = (error: ApiError) => {
    held = undefined;
    setToken(undefined);
    setRefusal(describeFailure(error));
  };
  return {
    token,
    refusal,
    async look(shown, send) {
      try {
        return await send(shown);
      } catch (error) {
        if (isRefusal(error, [...refusals, 'email_registered'])) goOnWithout(error);
        throw error;
      }
    },
    async redeem(shown, send) {
      try {
        await send(shown);
        held = undefined;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        goOnWithout(error);
      }
    },
  };
}
