import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DoorwardError, ValidationError, valueError } from '../errors.ts';
import { publicName } from './validation.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Doorward: the route also takes its body as `application/x-www-form-urlencoded`. */
    form?: boolean;
  }
}

/** The most octets that a body may have. */
export const BODY_LIMIT = 65_536;

type Done = (error: Error | null, body?: unknown) => void;

/**
 * Makes `app` and its children read JSON, and forms on routes that say `config: { form: true }`, and refuse every
 * other body with 415. An empty body is no body, whatever its type.
 */
export function installBodyParsers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const options = { parseAs: 'buffer', bodyLimit: BODY_LIMIT } as const;

  app.addContentTypeParser('application/json', options, (request, body: Buffer, done: Done) =>
    answer(done, request, body, readJson),
  );
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    options,
    (request, body: Buffer, done: Done) =>
      answer(done, request, body, request.routeOptions.config.form === true ? readForm : refuse),
  );
  app.addContentTypeParser('*', (_request, payload, done: Done) => {
    const settle = (error: Error | null) => {
      payload.off('data', refuseIt).off('end', accept).off('error', settle);
      done(error);
    };
    const accept = () => settle(null);
    const refuseIt = () => settle(new DoorwardError('unsupported_media_type'));
    // Sent in chunks, an empty body shows only at its end.
    payload.on('data', refuseIt).on('end', accept).on('error', settle);
  });
}

function answer(done: Done, request: FastifyRequest, body: Buffer, read: (body: Buffer) => unknown): void {
  if (body.length === 0) {
    done(null, undefined);
    return;
  }
  const encoding = request.headers['content-encoding'];
  try {
    done(null, encoding === undefined || encoding === 'identity' ? read(body) : refuse());
  } catch (error) {
    done(error as Error);
  }
}

function refuse(): never {
  throw new DoorwardError('unsupported_media_type');
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * As Python's `json.loads`: the last of two equal keys wins. A key `__proto__` becomes an own property, so that it
 * changes nothing and the schema refuses it.
 */
function readJson(body: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(body));
  } catch {
    // The engine's message quotes the input, which may hold a password.
    throw new ValidationError([
      { type: 'json_invalid', loc: ['body', 0], msg: 'JSON decode error', ctx: { error: 'Invalid JSON' } },
    ]);
  }
}

/** Strict where URLSearchParams is lenient: a percent sign that encodes nothing and octets that are not UTF-8. */
function readForm(body: Buffer): Record<string, string> {
  const form: Record<string, string> = Object.create(null);
  let pairs: [name: string, value: string][];
  try {
    pairs = utf8
      .decode(body)
      .split('&')
      .filter((pair) => pair !== '')
      .map((pair) => {
        const equals = pair.indexOf('=');
        return equals === -1
          ? [decodeComponent(pair), '']
          : [decodeComponent(pair.slice(0, equals)), decodeComponent(pair.slice(equals + 1))];
      });
  } catch {
    throw new ValidationError([valueError(['body'], 'the form is not encoded properly')]);
  }
  for (const [name, value] of pairs) {
    if (name in form) {
      throw new ValidationError([valueError(['body', publicName(name)], 'the field must be given once')]);
    }
    form[name] = value;
  }
  return form;
}

function decodeComponent(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}
