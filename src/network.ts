import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A range of addresses: the first one and how many leading bits count. */
export type Network = readonly [first: Address, prefixLength: number];

/** IPv6 networks are handed out to one customer by /64 and wider (RFC 6177), so a single address of one means nothing. */
const ipv6NetworkBits = 64;

/** IPv4-mapped IPv6 is IPv4; shorthand and octal IPv4, which programs read differently, are no addresses. */
function parse(text: string): Address | undefined {
  if (!text.includes(':')) {
    return ipaddr.IPv4.isValidFourPartDecimal(text) ? ipaddr.IPv4.parse(text) : undefined;
  }
  if (!ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** The one spelling of an address, or undefined when the text is none. */
export function readAddress(text: string): string | undefined {
  return parse(text)?.toString();
}

/** The networks of a list separated by commas; an address is a network of one. Undefined when one of them is none. */
export function readNetworks(list: string): readonly Network[] | undefined {
  const networks: Network[] = [];
  for (const part of list.split(',')) {
    const text = part.trim();
    if (text === '') continue;
    const [, address = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
    const first = parse(address);
    if (first === undefined) return undefined;
    const length = first.kind() === 'ipv4' ? 32 : 128;
    const mappedBits = first.kind() === 'ipv4' && address.includes(':') ? 96 : 0;
    const prefixLength = bits === undefined ? length : Number(bits) - mappedBits;
    // Everybody is not a network.
    if (prefixLength < 1 || prefixLength > length) return undefined;
    networks.push([first, prefixLength]);
  }
  return networks;
}

export function isWithin(text: string, networks: readonly Network[]): boolean {
  const address = parse(text);
  return (
    address !== undefined &&
    networks.some(
      ([first, prefixLength]) => first.kind() === address.kind() && address.match(first, prefixLength),
    )
  );
}

/** Whose address it is, as far as that can be told: the address itself in IPv4, its /64 in IPv6. */
export function networkOf(text: string): string {
  const address = parse(text);
  if (address === undefined || address.kind() === 'ipv4') return address?.toString() ?? text;
  const bytes = address.toByteArray().fill(0, ipv6NetworkBits / 8);
  return `${ipaddr.fromByteArray(bytes).toString()}/${ipv6NetworkBits}`;
}
