/** What fits in a row of a mail, and in nobody's sentence. */
const maxLength = 80;

/** The longest that an address can be (RFC 5321, 4.5.3.1.3). */
const maxAddressLength = 254;

/**
 * A text that a stranger chose, as a mail may show it: one line, bounded, and nothing that a mail program would make a
 * link of by itself: a dot before a letter and the colon of a scheme are set in brackets.
 */
export function foreignText(text: string): string {
  return defang(shorten(oneLine(text), maxLength));
}

/** An address is left as it is, unless its local part would be read as the address of a page. */
export function foreignAddress(address: string): string {
  const text = shorten(oneLine(address), maxAddressLength);
  return /[/:]|^www\./i.test(text) ? defang(text) : text;
}

/** Without control and invisible characters, which could also turn the direction of what follows. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{C}\p{Z}]+/gu, ' ').trim();
}

function shorten(text: string, length: number): string {
  const characters = [...text];
  return characters.length > length ? `${characters.slice(0, length - 1).join('')}…` : text;
}

/** The hexadecimal groups of IPv6 look like schemes. */
const network = /^[\da-f:.]+(?:\/\d+)?$/i;

function defang(text: string): string {
  if (network.test(text)) return text;
  return text
    .replaceAll(/[.\u3002\uff0e\uff61](?=\p{L})/gu, '[.]')
    .replaceAll(/(?<=\p{L}[\p{L}\d+.-]*):(?=\S)|:(?=[/\\])/gu, '[:]');
}
