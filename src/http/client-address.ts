import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isWithin, type Network, readAddress, readNetworks } from '../network.ts';
import type { Settings } from '../settings.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Doorward: the address of the client, which TRUSTED_PROXIES decides; empty where there is none. */
    clientAddress: string;
  }
}

/** Gives every request of `app` and its children its `clientAddress`. */
export function installClientAddress(
  app: FastifyInstance,
  settings: Pick<Settings, 'TRUSTED_PROXIES' | 'TRUSTED_PROXY_HEADER'>,
): void {
  const trusted = readNetworks(settings.TRUSTED_PROXIES) ?? [];
  const header = settings.TRUSTED_PROXY_HEADER;
  const readEntries = header === 'forwarded' ? readForwarded : readForwardedFor;
  const hostAddress = createHostAddress();
  // A host with two of us has it already.
  if (!app.hasRequestDecorator('clientAddress')) app.decorateRequest('clientAddress', '');
  // At once: of a client that hangs up nothing is known later.
  app.addHook('onRequest', (request, _reply, done) => {
    request.clientAddress =
      trusted.length === 0
        ? hostAddress(request)
        : walk(request, trusted, () => readEntries(request.headers[header]));
    done();
  });
}

/** Spellings that were read already: a connection's requests all come from one. */
const maxKnownAddresses = 1_000;

/** Without proxies of ours the host's own `trustProxy` decides. */
function createHostAddress(): (request: FastifyRequest) => string {
  const known = new Map<string, string>();
  return ({ ip = '' }) => {
    let address = known.get(ip);
    if (address === undefined) {
      address = readAddress(ip) ?? '';
      if (known.size >= maxKnownAddresses) known.clear();
      known.set(ip, address);
    }
    return address;
  };
}

/**
 * The first address from the right that is no trusted proxy: whatever is left of it, that client may have made up. An
 * entry that is no address tells nothing, and ends the walk as well.
 */
function walk(
  request: FastifyRequest,
  trusted: readonly Network[],
  entries: () => (string | undefined)[],
): string {
  let address = readAddress(request.raw.socket.remoteAddress ?? '') ?? '';
  if (!isWithin(address, trusted)) return address;
  for (const entry of entries().reverse()) {
    const next = entry === undefined ? undefined : readNode(entry);
    if (next === undefined) break;
    address = next;
    if (!isWithin(address, trusted)) break;
  }
  return address;
}

type HeaderValue = string | string[] | undefined;

const joined = (value: HeaderValue) => [value ?? []].flat().join(',');

function readForwardedFor(value: HeaderValue): (string | undefined)[] {
  return joined(value).split(',');
}

/** RFC 7239, 4: a parameter, and what ends it: the element goes on, the next one comes, or it was the last. */
const forwardedPair = /\s*([^\s=",;]+)=(?:([^\s",;]+)|"((?:[^"\\]|\\.)*)")\s*(;|,|$)/gy;

/** The `for` of each element. Of what is malformed nothing is believed: a quote left open would swallow what follows. */
function readForwarded(value: HeaderValue): (string | undefined)[] {
  const nodes: (string | undefined)[] = [];
  let node: string | undefined;
  let isWhole = false;
  for (const [, name = '', token, quoted = '', end] of joined(value).matchAll(forwardedPair)) {
    if (name.toLowerCase() === 'for') node = token ?? quoted.replaceAll(/\\(.)/g, '$1');
    if (end === ';') continue;
    nodes.push(node);
    node = undefined;
    isWhole = end === '';
  }
  return isWhole ? nodes : [];
}

/** RFC 7239, 6: an address, in brackets if it is IPv6, and perhaps a port. X-Forwarded-For has IPv6 without brackets. */
function readNode(text: string): string | undefined {
  const [, bracketed, ipv4] = /^\[([^[\]]*)\](?::\d{1,5})?$|^([\d.]+):\d{1,5}$/.exec(text.trim()) ?? [];
  return readAddress(bracketed ?? ipv4 ?? text.trim());
}
