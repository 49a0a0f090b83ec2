import { Agent, request } from 'node:http';

/** A request as it goes out: nothing is encoded or completed on the way. */
export interface RawRequest {
  readonly method: string;
  /** One octet a character. */
  readonly path: string;
  /** Names and values in turn; a name may come twice. */
  readonly headers?: readonly string[];
  readonly body?: string | Buffer;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
}

/** A client with its own connections, kept alive. */
export interface Client {
  /** Rejects when the connection ends before a whole answer came, or none comes within `patienceMs`. */
  send(request: RawRequest): Promise<RawAnswer>;
  /** Sends JSON, as the one whose access token is given. */
  ask(method: string, path: string, options?: { json?: unknown; token?: string }): Promise<RawAnswer>;
  close(): void;
}

/** The server did not answer. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

export function createClient(
  url: string,
  { connections = 16, patienceMs = 60_000 }: { connections?: number; patienceMs?: number } = {},
): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const { hostname, port } = new URL(url);

  const send: Client['send'] = ({ method, path, headers = [], body }) =>
    new Promise((resolve, reject) => {
      const raw = ['host', `${hostname}:${port}`, ...headers];
      if (
        body !== undefined &&
        !headers.some((name, i) => i % 2 === 0 && /^(content-length|transfer-encoding)$/i.test(name))
      ) {
        raw.push('content-length', String(Buffer.byteLength(body)));
      }
      // Node would announce a body of unknown length.
      else if (body === undefined && /^(POST|PUT|PATCH)$/.test(method)) raw.push('content-length', '0');
      const outgoing = request({
        hostname,
        port,
        agent,
        method,
        path,
        headers: raw,
      });
      const patience = setTimeout(() => outgoing.destroy(new NoAnswerError('timed out')), patienceMs);
      const fail = (error: Error) => {
        clearTimeout(patience);
        reject(new NoAnswerError(`${method} ${path.slice(0, 100)}: ${error.message}`, { cause: error }));
      };
      outgoing.on('error', fail);
      outgoing.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', fail);
        response.on('end', () => {
          clearTimeout(patience);
          const text = Buffer.concat(chunks).toString('utf8');
          const isJson = /json/.test(response.headers['content-type'] ?? '') && text !== '';
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers as Record<string, string>,
            text,
            body: isJson ? JSON.parse(text) : undefined,
          });
        });
      });
      outgoing.end(body);
    });

  return {
    send,
    ask(method, path, { json, token } = {}) {
      const headers: string[] = [];
      if (token !== undefined) headers.push('authorization', `Bearer ${token}`);
      if (json === undefined) return send({ method, path, headers });
      headers.push('content-type', 'application/json');
      return send({ method, path, headers, body: JSON.stringify(json) });
    },
    close: () => agent.destroy(),
  };
}
