/** More than a feed of a million revocations; what is longer is not one. */
const maxLength = 134_217_728;

/** What came, and when it began to, on the clock of `performance.now()`: it was made before that. */
export interface Received {
  readonly text: string;
  readonly beganAt: number;
}

async function* readPieces(body: ReadableStream<Uint8Array>, onPiece: () => void): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onPiece();
    const text = decoder.decode(value, { stream: true });
    if (text !== '') yield text;
  }
}

export async function readText(body: ReadableStream<Uint8Array>, onPiece: () => void): Promise<Received> {
  const pieces: string[] = [];
  let length = 0;
  let beganAt = 0;
  for await (const piece of readPieces(body, onPiece)) {
    if (length === 0) beganAt = performance.now();
    length += piece.length;
    if (length > maxLength) throw new Error('an answer is too long');
    pieces.push(piece);
  }
  return { text: pieces.join(''), beganAt };
}

/** The data of each server-sent event that comes, whatever its pieces and line ends are (HTML, 9.2.6). */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  onPiece: () => void,
): AsyncGenerator<Received> {
  let pieces: string[] = [];
  let length = 0;
  let data: string[] = [];
  let lineBeganAt = 0;
  let beganAt = 0;
  let endsWithReturn = false;
  for await (let text of readPieces(body, onPiece)) {
    // A line end of two characters may come in two pieces.
    if (endsWithReturn && text.startsWith('\n')) text = text.slice(1);
    endsWithReturn = text === '' ? false : text.endsWith('\r');
    length += text.length;
    if (length > maxLength) throw new Error('an event is too long');
    const lines = text.split(/\r\n|\r|\n/);
    for (const [index, part] of lines.entries()) {
      if (pieces.length === 0) lineBeganAt = performance.now();
      if (part !== '') pieces.push(part);
      if (index === lines.length - 1) break;
      const line = pieces.join('');
      pieces = [];
      if (line.startsWith('data:')) {
        if (data.length === 0) beganAt = lineBeganAt;
        data.push(line.slice(line[5] === ' ' ? 6 : 5));
      }
      if (line !== '') continue;
      if (data.length > 0) yield { text: data.join('\n'), beganAt };
      data = [];
      length = 0;
    }
  }
}
