import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CompactSign,
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
} from 'jose';

export interface TestKey {
  kid: string;
  jwk: JWK;
  privateKey: CryptoKey;
}

export async function makeKey(): Promise<TestKey> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig' };
  const kid = await calculateJwkThumbprint(jwk);
  return { kid, jwk: { ...jwk, kid }, privateKey };
}

const now = () => Math.floor(Date.now() / 1000);

/**
 * What a verifier sees of a Doorward, with all the faults that a server, a network or somebody in between can have.
 */
export class FeedServer {
  readonly key: TestKey;
  published: TestKey[];
  /** How questions about the feed are answered. */
  feed: 'stream' | 'poll' | 'swallow' | 'drip' | 'down' = 'stream';
  keysAreDown = false;
  /** How the text of a stream is cut and spelled. */
  pieces: (text: string) => string[] = (text) => [text];
  /** Waits between the pieces. */
  pieceMs = 0;
  /** Waits before the message is made. */
  workMs = 0;
  /** The message for a connection, instead of the right one. */
  answer: ((cursor: number) => Promise<string>) | undefined;
  readonly asked = { keys: 0, streams: 0, polls: 0, cursors: [] as number[] };
  readonly revoked: { sid: string; exp: number }[] = [];
  /** With the end of what is written to them. */
  readonly #streams = new Map<ServerResponse, Promise<void>>();
  readonly #server = createServer((request, response) => {
    this.#handle(request, response).catch(() => response.destroy());
  });

  constructor(key: TestKey) {
    this.key = key;
    this.published = [key];
  }

  static async start(): Promise<FeedServer> {
    const server = new FeedServer(await makeKey());
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /** Connections that are open, idle ones included. */
  connections(): Promise<number> {
    return new Promise((resolve) => this.#server.getConnections((_error, count) => resolve(count)));
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Ends the streams, as a restart does. */
  cut(): void {
    for (const stream of this.#streams.keys()) stream.destroy();
  }

  token(
    claims: Record<string, unknown> = {},
    header: { [Name in keyof JWTHeaderParameters]?: JWTHeaderParameters[Name] | undefined } = {},
    key: CryptoKey | Uint8Array = this.key.privateKey,
  ): Promise<string> {
    const all = {
      sub: '1',
      sid: 'session-1',
      gen: 0,
      type: 'access',
      jti: 'x',
      iss: this.url,
      aud: this.url,
    };
    return new SignJWT({ ...all, iat: now(), exp: now() + 900, ...claims })
      .setProtectedHeader({
        alg: 'ES256',
        typ: 'at+jwt',
        kid: this.key.kid,
        ...header,
      } as JWTHeaderParameters)
      .sign(key);
  }

  message(
    changes: Record<string, unknown> = {},
    { typ = 'revocations+jwt', key = this.key } = {},
  ): Promise<string> {
    const cursor = this.revoked.length;
    const message = { iss: this.url, iat: now(), since: 0, cursor, revoked: this.revoked, ...changes };
    return new CompactSign(new TextEncoder().encode(JSON.stringify(message)))
      .setProtectedHeader({ alg: 'ES256', typ, kid: key.kid })
      .sign(key.privateKey);
  }

  send(jws: string): void {
    for (const stream of this.#streams.keys()) this.#sendTo(stream, jws);
  }

  async revoke(sid: string, exp = now() + 900): Promise<void> {
    const since = this.revoked.length;
    this.revoked.push({ sid, exp });
    this.send(await this.message({ since, revoked: this.revoked.slice(since) }));
  }

  /** Sends an octet of a line that never ends. */
  drip(): void {
    for (const stream of this.#streams.keys()) stream.write('x');
  }

  #sendTo(stream: ServerResponse, jws: string): void {
    const text = `id: 1\nevent: revocations\ndata: ${jws}\n\n`;
    const last = this.#streams.get(stream) ?? Promise.resolve();
    this.#streams.set(
      stream,
      last.then(() => this.#write(stream, text)),
    );
  }

  async #write(response: ServerResponse, text: string): Promise<void> {
    for (const piece of this.pieces(text)) {
      response.write(piece);
      if (this.pieceMs > 0) await sleep(this.pieceMs);
      if (response.destroyed) return;
    }
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (url.pathname === '/.well-known/jwks.json') {
      this.asked.keys++;
      if (this.keysAreDown) {
        response.writeHead(503).end();
        return;
      }
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ keys: this.published.map(({ jwk }) => jwk) }));
      return;
    }
    const wantsStream = request.headers.accept?.includes('text/event-stream') ?? false;
    this.asked[wantsStream ? 'streams' : 'polls']++;
    const { feed } = this;
    if (feed === 'down') {
      response.destroy();
      return;
    }
    const cursor = Number(url.searchParams.get('cursor'));
    this.asked.cursors.push(cursor);
    const since = cursor > this.revoked.length ? 0 : cursor;
    if (this.workMs > 0) await sleep(this.workMs);
    const jws =
      (await this.answer?.(cursor)) ?? (await this.message({ since, revoked: this.revoked.slice(since) }));
    if (!wantsStream || feed === 'poll') {
      response.setHeader('content-type', 'application/jwt');
      await this.#write(response, jws);
      response.end();
      return;
    }
    this.#streams.set(response, Promise.resolve());
    response.on('close', () => this.#streams.delete(response));
    if (feed === 'swallow') return;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (feed === 'drip') response.flushHeaders();
    else this.#sendTo(response, jws);
  }
}

/** Waits until something is so; a test that waits in vain ends by its runner's limit or by this one. */
export async function eventually(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 6000; tries++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`it never came to be that ${what}`);
}
