/** More than a feed of a million revocations; what is longer is not one. */
const maxEventLength = 134_217_728;

/** The data of each server-sent event that comes, whatever its pieces and line ends are (HTML, 9.2.6). */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let pieces: string[] = [];
  let length = 0;
  let data: string[] = [];
  let endsWithReturn = false;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    let text = decoder.decode(value, { stream: true });
    if (text === '') continue;
    // A line end of two characters may come in two pieces.
    if (endsWithReturn && text.startsWith('\n')) text = text.slice(1);
    endsWithReturn = text === '' ? false : text.endsWith('\r');
    length += text.length;
    if (length > maxEventLength) throw new Error('an event is too long');
    const lines = text.split(/\r\n|\r|\n/);
    for (const [index, part] of lines.entries()) {
      pieces.push(part);
      if (index === lines.length - 1) break;
      const line = pieces.join('');
      pieces = [];
      if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
      if (line !== '') continue;
      if (data.length > 0) yield data.join('\n');
      data = [];
      length = 0;
    }
  }
}
