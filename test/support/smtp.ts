import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';
import { certificate, privateKey } from './smtp-certificate.ts';

/** What the server does with who comes. */
export type SmtpBehaviour =
  | { readonly does: 'accept' /** Before it takes the mail. */; readonly afterMs?: number }
  | {
      readonly does: 'refuse';
      readonly at: 'MAIL FROM' | 'RCPT TO' | 'DATA';
      readonly code: number;
      readonly text?: string;
    }
  /** Says nothing any more. */
  | { readonly does: 'hang'; readonly at: 'greeting' | 'end of DATA' }
  /** Ends the connection: without having taken the mail; having taken it, before its 250 or right after it. */
  | { readonly does: 'drop'; readonly at: 'end of DATA' | 'before 250' | 'after 250' };

/** A mail that the server took. */
export interface ReceivedMail extends ParsedMail {
  readonly from_envelope: string;
  readonly to_envelope: readonly string[];
  /** As it came. */
  readonly raw: string;
  readonly isTls: boolean;
}

/** A real SMTP server. */
export interface TestSmtp {
  /** For MAIL_URL. */
  readonly url: string;
  readonly port: number;
  readonly mails: readonly ReceivedMail[];
  /** How often somebody connected. */
  readonly connections: number;
  /** How often somebody showed a password. */
  readonly logins: number;
  /** How many mails came to their end, taken or not. */
  readonly arrived: number;
  /** How many are connected. */
  readonly open: number;
  behave(behaviour: SmtpBehaviour): void;
  /** Waits until there are so many mails for the address, or for anybody, and returns the last one. */
  waitFor(to?: string, count?: number): Promise<ReceivedMail>;
  /** Refuses connections from now on. */
  stop(): Promise<void>;
  /** Takes them again, on the same port. */
  start(): Promise<void>;
}

export interface SmtpOptions {
  /** User name and password that it asks for. */
  readonly auth?: { readonly user: string; readonly pass: string };
  /** `tls`: from the first byte on. `trusted`: by `certificate`; otherwise by an expired one of somebody else. */
  readonly tls?: 'none' | 'starttls' | 'tls';
  readonly isTrusted?: boolean;
}

/** What is waited for at most. */
const patienceMs = 60_000;

/** Starts a server on 127.0.0.1 that ends with the test. */
export async function startSmtp(
  t: Pick<TestContext, 'after'>,
  { auth, tls = 'none', isTrusted = true }: SmtpOptions = {},
): Promise<TestSmtp> {
  const mails: ReceivedMail[] = [];
  let behaviour: SmtpBehaviour = { does: 'accept' };
  let connections = 0;
  let arrived = 0;
  let logins = 0;
  let port = 0;
  let server: SMTPServer;

  const refusal = (at: string) => {
    if (behaviour.does !== 'refuse' || behaviour.at !== at) return undefined;
    const { code: responseCode, text = 'no, because of somebody@secret.example' } = behaviour;
    return Object.assign(new Error(text), { responseCode });
  };
  const socketOf = ({ id }: SMTPServerSession): Socket | undefined => {
    for (const connection of server.connections as Iterable<{ id: string; _socket: Socket }>)
      if (connection.id === id) return connection._socket;
    return undefined;
  };

  const options: SMTPServerOptions = {
    ...(isTrusted ? { key: privateKey, cert: certificate } : {}),
    secure: tls === 'tls',
    disabledCommands: [...(tls === 'starttls' ? [] : ['STARTTLS']), ...(auth === undefined ? ['AUTH'] : [])],
    allowInsecureAuth: tls === 'none',
    disableReverseLookup: true,
    logger: false,
    onConnect(_session, done) {
      connections += 1;
      if (behaviour.does !== 'hang' || behaviour.at !== 'greeting') done();
    },
    onAuth({ username, password }, _session, done) {
      logins += 1;
      if (username === auth?.user && password === auth?.pass) done(null, { user: username });
      else done(new Error('wrong'));
    },
    onMailFrom: (_address, _session, done) => done(refusal('MAIL FROM')),
    onRcptTo: (_address, _session, done) => done(refusal('RCPT TO')),
    async onData(stream, session, done) {
      const chunks: Buffer[] = [];
      try {
        for await (const chunk of stream) chunks.push(chunk as Buffer);
      } catch {
        // The client went in the middle.
        return;
      }
      stream.on('error', () => {});
      const raw = Buffer.concat(chunks);
      arrived += 1;
      const now = behaviour;
      if (now.does === 'hang') return;
      const refused = refusal('DATA');
      if (refused !== undefined) return done(refused);
      if (now.does === 'accept' && now.afterMs !== undefined) await sleep(now.afterMs);
      if (now.does === 'drop' && now.at === 'end of DATA') return void socketOf(session)?.destroy();
      const { mailFrom, rcptTo } = session.envelope;
      mails.push(
        Object.assign(await simpleParser(raw), {
          from_envelope: mailFrom === false ? '' : mailFrom.address,
          to_envelope: rcptTo.map(({ address }) => address),
          raw: raw.toString(),
          isTls: session.secure,
        }),
      );
      if (now.does === 'drop' && now.at === 'before 250') return void socketOf(session)?.destroy();
      done(null);
      if (now.does === 'drop') socketOf(session)?.end();
    },
  };

  async function start(): Promise<void> {
    server = new SMTPServer(options);
    // Clients that are cut off, or that do not trust the certificate.
    server.on('error', () => {});
    server.listen(port, '127.0.0.1');
    await once(server.server, 'listening');
    port = (server.server.address() as AddressInfo).port;
  }
  async function stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const connection of server.connections as Iterable<{ _socket: Socket }>)
      connection._socket.destroy();
    await closed;
  }

  await start();
  t.after(() => stop());
  const credentials = auth === undefined ? '' : `${auth.user}:${encodeURIComponent(auth.pass)}@`;
  return {
    url: `${tls === 'tls' ? 'smtps' : 'smtp'}://${credentials}127.0.0.1:${port}`,
    port,
    mails,
    get connections() {
      return connections;
    },
    get logins() {
      return logins;
    },
    get arrived() {
      return arrived;
    },
    get open() {
      return server.connections.size;
    },
    behave(next) {
      behaviour = next;
    },
    async waitFor(to, count = 1) {
      const until = performance.now() + patienceMs;
      for (;;) {
        const found = mails.filter(({ to_envelope }) => to === undefined || to_envelope.includes(to));
        const mail = found.at(-1);
        if (mail !== undefined && found.length >= count) return mail;
        assert.ok(performance.now() < until, `${found.length} of ${count} mails to ${to ?? 'anybody'} came`);
        await sleep(10);
      }
    },
    stop,
    start,
  };
}

/** Ends the test if the part is missing in the text or in the HTML, or is not the same in both. */
function inBoth(
  { text, html }: Pick<ReceivedMail, 'text' | 'html'>,
  find: (part: string) => string | undefined,
): string {
  const inText = find(text ?? '');
  const inHtml = find(html || '');
  assert.ok(inText !== undefined, `not in the text: ${text}`);
  assert.equal(inHtml, inText, 'HTML and text differ');
  return inText;
}

const entities: Record<string, string> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  '#39': "'",
  '#x2F': '/',
  '#x3D': '=',
};
const decode = (html: string) =>
  html.replace(/&(amp|lt|gt|quot|#39|#x2F|#x3D);/gi, (_all, name: string) => entities[name] ?? '');

/** The link with a token that a person finds in the mail, and its token. */
export function linkIn(mail: Pick<ReceivedMail, 'text' | 'html'>): { link: string; token: string } {
  const link = inBoth(mail, (part) => /https?:\/\/[^\s"'<>]+#token=[\w-]+/.exec(decode(part))?.[0]);
  return { link, token: link.slice(link.indexOf('#token=') + '#token='.length) };
}

/** The code that a person finds in the mail, as they would type it. */
export function codeIn(mail: Pick<ReceivedMail, 'text' | 'html'>): string {
  const visible = (part: string) =>
    decode(part.replace(/<(style|title)[\s\S]*?<\/\1>/g, ' ').replace(/<[^>]*>/g, ' '))
      // One token in some thousand has six digits in a row.
      .replaceAll(/https?:\/\/\S+/g, ' ');
  return inBoth(mail, (part) =>
    /(?<![\d#])\d{3}[ \u00a0]?\d{3}(?!\d)/.exec(visible(part))?.[0]?.replace(/\D/g, ''),
  );
}
