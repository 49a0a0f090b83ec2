import Bowser from 'bowser';

const unknown = 'Unknown device';

/** A user agent in words for people, e.g. `Firefox on macOS`. It is what the client says of itself, and proves nothing. */
export function describeDevice(userAgent: string): string {
  if (userAgent.trim() === '') return unknown;
  const { browser, os } = Bowser.parse(userAgent);
  // Programs name themselves first, as in `curl/8.5.0`, and may call themselves anything, even a piece of markup.
  const [name] = /^[\w .-]{1,40}/.exec(browser.name || (userAgent.split(' ', 1)[0] ?? '')) ?? [];
  if (name === undefined) return unknown;
  return os.name ? `${name} on ${os.name}` : name;
}

/** The browser a user agent tells, whatever its version and system. */
export function browserFamily(userAgent: string): string {
  return describeDevice(userAgent).replace(/ on .*/, '');
}
