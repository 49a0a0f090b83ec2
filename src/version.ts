import { readFileSync } from 'node:fs';

/** The version of the package. */
export const version: string = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
).version;

const oldestNode = 24;

/** What is wrong with the Node that runs this, if it is too old: drivers of an older one end the process without a word. */
export function describeOldNode(running: string = process.versions.node): string | undefined {
  if (Number.parseInt(running, 10) >= oldestNode) return undefined;
  return `Node ${oldestNode} or newer is needed, and this is ${running}`;
}
