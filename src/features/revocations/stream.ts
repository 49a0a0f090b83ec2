import type { ServerResponse } from 'node:http';
import type { Revocations, SignedMessage } from './index.ts';

/** A follower that reads nothing for so long, or takes so long over a message, is cut off; it comes back with its cursor. */
const maxStallMs = 10_000;
const maxMessageMs = 120_000;
/** Of a message: between its pieces it shows whether its follower reads. */
const pieceLength = 65_536;

/** The connection of a follower. */
export interface EventStream {
  /** Tells `past`, and then what comes after it until the end. */
  tell(past: SignedMessage): Promise<void>;
  /** Follows no longer, and leaves the connection alone. */
  leave(): void;
  end(): void;
}

function toEvent({ jws, cursor }: SignedMessage): string {
  return `id: ${cursor}\nevent: revocations\ndata: ${jws}\n\n`;
}

/** Follows at once, so that nothing falls between that and the past, which is read then. It is in `open` until its end. */
export function openStream(
  raw: ServerResponse,
  revocations: Revocations,
  open: Set<EventStream>,
): EventStream {
  let hear: ((message: SignedMessage) => void) | undefined;
  /** Something came while `hear` was not there. It is asked for later, not kept for whoever reads slowly. */
  let hasMissed = false;
  let isHeldUp = false;
  let startedAt = 0;
  let movedAt = 0;

  const unfollow = revocations.follow((message) => {
    const now = performance.now();
    if (isHeldUp && (now - movedAt > maxStallMs || now - startedAt > maxMessageMs)) end();
    else if (hear === undefined) hasMissed = true;
    else hear(message);
    hear = undefined;
  });

  async function write(message: SignedMessage): Promise<void> {
    const event = toEvent(message);
    startedAt = performance.now();
    for (let start = 0; start < event.length && open.has(stream); start += pieceLength) {
      movedAt = performance.now();
      isHeldUp = !raw.write(event.slice(start, start + pieceLength));
      if (isHeldUp) await new Promise((resume) => raw.once('drain', resume));
      isHeldUp = false;
    }
  }

  async function next(heard: number): Promise<SignedMessage> {
    if (!hasMissed) {
      const message = await new Promise<SignedMessage>((resolve) => {
        hear = resolve;
      });
      if (message.since <= heard) return message;
    }
    hasMissed = false;
    return revocations.since(heard);
  }

  function leave(): void {
    unfollow();
    open.delete(stream);
    raw.off('close', end);
  }

  function end(): void {
    leave();
    // What is not read would keep the connection, and a server that stops, waiting.
    // Nor would an answer without a type bring it back.
    if (isHeldUp || !raw.headersSent) raw.destroy();
    else raw.end();
  }

  const stream: EventStream = {
    async tell(past) {
      try {
        for (let message = past; open.has(stream); message = await next(message.cursor)) await write(message);
      } catch {
        // What it missed could not be read. It asks again.
        end();
      }
    },
    leave,
    end,
  };
  open.add(stream);
  raw.on('close', end);
  // It may have left while a hook of the host was awaited: no 'close' comes any more.
  if (raw.destroyed || raw.closed) end();
  return stream;
}
