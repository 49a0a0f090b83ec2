import Bowser from 'bowser';

const unknown = 'Unknown device';

/** What a user agent tells of browser and system: what the client says of itself, which proves nothing. Null when it says nothing. */
export function readDevice(userAgent: string): { browser: string; system: string | null } | null {
  if (userAgent.trim() === '') return null;
  const { browser, os } = Bowser.parse(userAgent);
  // Programs name themselves first, as in `curl/8.5.0`, and may call themselves anything, even a piece of markup.
  const [name] = /^[\w .-]{1,40}/.exec(browser.name || (userAgent.split(' ', 1)[0] ?? '')) ?? [];
  return name === undefined ? null : { browser: name, system: os.name ?? null };
}

/** The same in words for people, e.g. `Firefox on macOS`. */
export function describeDevice(userAgent: string): string {
  const device = readDevice(userAgent);
  if (device === null) return unknown;
  return device.system ? `${device.browser} on ${device.system}` : device.browser;
}

/** The browser a user agent tells, whatever its version and system. */
export function browserFamily(userAgent: string): string {
  return readDevice(userAgent)?.browser ?? unknown;
}
