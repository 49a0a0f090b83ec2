import { connect, createServer, type Socket } from 'node:net';

/** What stands between a server and its PostgreSQL, and loses connections. */
export interface DatabaseProxy {
  /** The URL of the database by way of the proxy. */
  readonly url: string;
  /** How many connections were cut in the middle of a COMMIT. */
  readonly cuts: number;
  /**
   * From now on cuts connections that commit: `unheard` before the COMMIT gets through, `unanswered` after it was done and
   * before its answer gets through. `chance` decides about each.
   */
  cutCommits(how: 'unheard' | 'unanswered', chance: () => boolean): void;
  /** From now on a connection on which something with `text` is asked is not answered any more, nor cut. */
  hangAt(text: string): void;
  /** Loses nothing any more. */
  heal(): void;
  /** Cuts all connections there are. */
  cutAll(): void;
  stop(): void;
}

export async function startDatabaseProxy(databaseUrl: string): Promise<DatabaseProxy> {
  const target = new URL(databaseUrl);
  const open = new Set<Socket>();
  let decide: (() => 'unheard' | 'unanswered' | undefined) | undefined;
  let hung: string | undefined;
  let cuts = 0;

  const server = createServer((near) => {
    const far = connect({ host: target.hostname, port: Number(target.port) });
    let isCommitting = false;
    let isHung = false;
    const cut = () => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', cut);
      socket.on('close', () => {
        open.delete(socket);
        cut();
      });
    }
    near.on('data', (data) => {
      if (hung !== undefined && data.includes(hung)) isHung = true;
      if (isHung) return;
      const fault = data.includes('commit\0') ? decide?.() : undefined;
      if (fault !== undefined) cuts++;
      if (fault === 'unheard') return cut();
      if (fault === 'unanswered') isCommitting = true;
      far.write(data);
    });
    far.on('data', (data) => {
      if (isCommitting) cut();
      else near.write(data);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port');
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String(address.port);
  return {
    url: url.href,
    get cuts() {
      return cuts;
    },
    cutCommits(how, chance) {
      decide = () => (chance() ? how : undefined);
    },
    hangAt(text) {
      hung = text;
    },
    heal() {
      decide = undefined;
      hung = undefined;
    },
    cutAll() {
      for (const socket of open) socket.destroy();
    },
    stop() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
