import { isIPv4 } from 'node:net';
import type { Transporter } from 'nodemailer';
import type { MailContent } from '../../mail/index.ts';
import { readMailbox, type Settings } from '../../settings.ts';

/** A mail as it is handed over. */
export interface Letter extends MailContent {
  readonly to: string;
  readonly message_id: string;
  readonly date: Date;
}

/** How handing it over ended. `error` is a constant text with codes: servers repeat addresses and texts in theirs. */
export type Handover =
  | { readonly result: 'sent' }
  | { readonly result: 'postponed' | 'refused'; readonly error: string };

/** The server that mails are handed to. */
export interface Smtp {
  /** Never rejects. Ends when `stop` is aborted, and the connection with it. */
  send(letter: Letter, stop: AbortSignal): Promise<Handover>;
  close(): Promise<void>;
}

export interface SmtpLimits {
  /** For the connection, for the greeting, and for a name to be looked up. */
  readonly connectionMs: number;
  /** For a mail in all. */
  readonly mailMs: number;
  readonly connections: number;
  /** PEM of an authority that is trusted instead of those that Node.js knows. */
  readonly ca?: string;
}

export const smtpLimits: SmtpLimits = { connectionMs: 10_000, mailMs: 30_000, connections: 4 };

const idleMs = 30_000;
const closeMs = 1_000;

/** Connections to MAIL_URL, made when there is something to send. */
export function createSmtp(
  settings: Pick<Settings, 'MAIL_URL' | 'MAIL_FROM'> & { MAIL_URL: string },
  limits: SmtpLimits = smtpLimits,
): Smtp {
  const from = readMailbox(settings.MAIL_FROM);
  if (from === undefined) throw new Error('MAIL_FROM is no sender');
  let opened: Promise<Transporter> | undefined;

  // Loaded when there is a mail: without MAIL_URL it costs nothing.
  async function open(): Promise<Transporter> {
    const { createTransport } = await import('nodemailer');
    return createTransport({
      ...readServer(settings.MAIL_URL),
      pool: true,
      maxConnections: limits.connections,
      // Once more for a connection that the server had closed before a byte of the mail was sent, and for nothing else.
      maxRequeues: 1,
      idleTimeout: idleMs,
      connectionTimeout: limits.connectionMs,
      greetingTimeout: limits.connectionMs,
      dnsTimeout: limits.connectionMs,
      socketTimeout: limits.mailMs,
      socketCloseTimeout: closeMs,
      disableFileAccess: true,
      disableUrlAccess: true,
      tls: {
        rejectUnauthorized: true,
        minVersion: 'TLSv1.2',
        ...(limits.ca === undefined ? {} : { ca: limits.ca }),
      },
    });
  }

  return {
    async send({ to, subject, text, html, message_id, date }, stop) {
      const late = AbortSignal.timeout(limits.mailMs);
      try {
        opened ??= open();
        const transport = await opened;
        await transport.sendMail({
          from,
          // As an object: a text would be read as a list of addresses.
          to: { name: '', address: to },
          envelope: { from: from.address, to: [to] },
          subject,
          text,
          html,
          messageId: message_id,
          date,
          // RFC 3834: nobody's holiday note answers it.
          headers: { 'Auto-Submitted': 'auto-generated' },
          signal: AbortSignal.any([stop, late]),
        });
        return { result: 'sent' };
      } catch (error) {
        return late.aborted ? { result: 'postponed', error: 'it took too long' } : toHandover(error);
      }
    },
    async close() {
      if (opened !== undefined) (await opened).close();
    },
  };
}

function readServer(mailUrl: string) {
  const { protocol, hostname, port, username, password } = new URL(mailUrl);
  const secure = protocol === 'smtps:';
  const host = hostname.replace(/^\[|\]$/g, '');
  const isHere = host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
  return {
    host,
    port: port === '' ? (secure ? 465 : 587) : Number(port),
    secure,
    ...(username === ''
      ? {}
      : {
          auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) },
          // Or somebody on the way could have the password by hiding that the server offers TLS.
          requireTLS: !secure && !isHere,
        }),
  };
}

interface SmtpError {
  code?: string;
  originalCode?: string;
  command?: string;
  response?: string;
  responseCode?: number;
}

/** Refusals that are about who we are and how we came, whatever command they answer (RFC 4954, 6; RFC 5321, 4.2.3). */
const aboutUs = new Set([503, 530, 534, 535, 538]);

function toHandover(error: unknown): Handover {
  const { code = '', originalCode, command = '', response = '', responseCode } = error as SmtpError;
  if (responseCode !== undefined && responseCode >= 400) {
    const isFinal =
      responseCode >= 500 && !aboutUs.has(responseCode) && (command === 'RCPT TO' || command === 'DATA');
    const [, enhanced] = /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b/.exec(response) ?? [];
    const codes = enhanced === undefined ? `${responseCode}` : `${responseCode} ${enhanced}`;
    return { result: isFinal ? 'refused' : 'postponed', error: `${whatWasRefused(command)} (${codes})` };
  }
  // Found out before anything was sent, and true of it for ever.
  if (code === 'EMESSAGE' || code === 'EENVELOPE') return { result: 'refused', error: 'it cannot be sent' };
  const told = [originalCode, code].find(
    (each) => each !== undefined && /^(E|CERT_|ERR_TLS)[A-Z_\d]+$/.test(each),
  );
  return {
    result: 'postponed',
    error: told === undefined ? 'the connection failed' : `the connection failed (${told})`,
  };
}

function whatWasRefused(command: string): string {
  if (command === 'RCPT TO') return 'the server refused the recipient';
  if (command === 'DATA') return 'the server refused the message';
  if (command === 'MAIL FROM') return 'the server refused the sender';
  if (command === 'STARTTLS') return 'the server refused TLS';
  return command.startsWith('AUTH') ? 'the server refused the login' : 'the server refused the connection';
}
