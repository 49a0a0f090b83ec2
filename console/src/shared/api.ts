import { type Api, ApiError, createClient } from 'doorward/client';
import { config } from './config.ts';

export { ApiError } from 'doorward/client';

export type Route = keyof Api;
export type Answer<R extends Route> = Api[R]['response'];

const signedOutListeners = new Set<() => void>();

/** Calls `hear` when the session is over in this browser, whichever tab or answer told. Returns what stops that. */
export function onSignedOut(hear: () => void): () => void {
  signedOutListeners.add(hear);
  return () => signedOutListeners.delete(hear);
}

/** The session, kept in cookies that no script can read. */
export const client = createClient({
  url: `${config.base}/`,
  prefix: config.prefix,
  transport: 'cookie',
  onSignedOut: () => {
    for (const hear of signedOutListeners) hear();
  },
});

export interface Input<R extends Route> {
  /** For the parts of the path in braces. */
  params?: Record<string, string | number>;
  /** What is undefined or empty is left out. */
  query?: Record<string, string | number | boolean | null | undefined>;
  body?: Api[R]['body'];
  signal?: AbortSignal;
}

/**
 * Asks an endpoint, with the session if there is one.
 * @throws ApiError as the server answers, TypeError when the network fails.
 */
export async function call<R extends Route>(route: R, input: Input<R> = {}): Promise<Answer<R>> {
  return (await ask(route, input)).answer;
}

/** A page of a list. */
export interface Page<Item> {
  items: Item[];
  /** What to ask the next page for as `cursor`; undefined on the last one. */
  next: string | undefined;
  /** How many there are in all, where that was asked for. */
  total: number | undefined;
}

type ListRoute = { [R in Route]: Answer<R> extends unknown[] ? R : never }[Route];

/** Asks for a page of a list. @throws as `call`. */
export async function callPage<R extends ListRoute>(
  route: R,
  input: Input<R> = {},
): Promise<Page<Answer<R>[number]>> {
  const { answer, headers } = await ask(route, input);
  const [, link] = /<([^>]*)>; rel="next"/.exec(headers.get('link') ?? '') ?? [];
  const next = link === undefined ? null : new URL(link, location.origin).searchParams.get('cursor');
  const total = headers.get('x-total-count');
  return { items: answer, next: next ?? undefined, total: total === null ? undefined : Number(total) };
}

async function ask<R extends Route>(
  route: R,
  input: Input<R>,
): Promise<{ answer: Answer<R>; headers: Headers }> {
  const { body, signal } = input;
  const [method = ''] = route.split(' ');
  const response = await client.fetch(pathOf(route, input), {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    ...(signal === undefined ? {} : { signal }),
  });
  const text = await response.text();
  const answer = text === '' ? undefined : parse(text);
  if (response.ok) return { answer: answer as Answer<R>, headers: response.headers };
  const failure = answer as { code?: string; detail?: unknown } | undefined;
  throw new ApiError(response.status, failure?.code ?? 'unknown', failure?.detail ?? response.statusText);
}

/** The path and query of an endpoint, below the server's own path. */
export function pathOf<R extends Route>(route: R, { params = {}, query = {} }: Input<R> = {}): string {
  const [, template = ''] = route.split(' ');
  const path = template
    .replace(/^\/auth/, config.prefix)
    .replace(/\{(\w+)\}/g, (_match, name: string) => encodeURIComponent(String(params[name])));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') search.set(name, String(value));
  }
  return search.size === 0 ? path : `${path}?${search}`;
}

/** Undefined for what is no JSON: something else answered in the server's place. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
