import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** How a body ended that did not come to its end: its client went away, or was too slow. */
type CutOff = 'ECONNRESET' | 'ERR_HTTP_REQUEST_TIMEOUT';

/**
 * The body of a request, until its client goes away or `timeoutMs` have passed since now. Whatever it fails with is told as a
 * client that went away is: a string would be thrown at nobody.
 */
export function toPayload(
  body: ReadableStream<Uint8Array>,
  { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number },
): Readable {
  const reader = body.locked ? undefined : body.getReader();
  const cutOff = (code: CutOff, cause?: unknown) =>
    void payload.destroy(Object.assign(new Error('the body was cut off', { cause }), { code }));
  const abandon = () => cutOff('ECONNRESET', signal.reason);
  const timer = setTimeout(cutOff, timeoutMs, 'ERR_HTTP_REQUEST_TIMEOUT');
  let isFirst = true;
  const payload = new Readable({
    async read() {
      try {
        // A body that is in memory comes without a turn of the event loop, and would keep everybody else from having one.
        if (!isFirst) await nextTurn();
        isFirst = false;
        if (reader === undefined) throw new Error('somebody else reads it');
        const { done, value } = await reader.read();
        if (!done && !ArrayBuffer.isView(value)) throw new Error('a piece of it is no octets');
        this.push(done ? null : value);
      } catch (cause) {
        cutOff('ECONNRESET', cause);
      }
    },
    destroy(error, done) {
      clearTimeout(timer);
      signal.removeEventListener('abort', abandon);
      reader?.cancel(error).catch(() => {});
      done(error);
    },
  });
  // Who destroys it knows why; and who reads it, if anybody does, has a listener of their own.
  payload.on('error', () => {});
  if (signal.aborted) abandon();
  else signal.addEventListener('abort', abandon);
  return payload;
}

/**
 * The body of an answer, read as it is asked for; `onRead` is called whenever that is. `Readable.toWeb` throws at nobody when its reader goes before the first octet.
 */
export function toBody(stream: Readable, onRead: () => void): ReadableStream<Uint8Array> {
  // Told by the iterator, once somebody reads.
  stream.on('error', () => {});
  const chunks: AsyncIterator<Uint8Array> = stream[Symbol.asyncIterator]();
  return new ReadableStream(
    {
      async pull(controller) {
        onRead();
        const { done, value } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      cancel() {
        stream.destroy();
      },
    },
    { highWaterMark: 0 },
  );
}
