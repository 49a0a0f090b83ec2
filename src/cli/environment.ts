import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { type GivenSettings, settingNames } from '../settings.ts';
import { CommandError, UsageError } from './failures.ts';

export type SettingName = (typeof settingNames)[number];

/** Settings as the operator gave them, and where. */
export interface Environment {
  readonly given: GivenSettings;
  readonly origins: ReadonlyMap<SettingName, 'environment' | '.env'>;
}

/** What parseEnv would skip in silence: a line that is neither empty, a comment nor `NAME=value`. */
const envLine =
  /[^\S\n]*(?:#[^\n]*|(?:export[^\S\n]+)?[\w.-]+[^\S\n]*=[^\S\n]*(?:"[^"]*"|'[^']*'|`[^`]*`)?[^\n]*)?(?:\n|$)/y;

/**
 * Takes the settings out of the environment and out of `.env` in the working folder; the environment wins. An empty
 * value is none.
 * @throws CommandError when `.env` cannot be read. @throws UsageError when it is not a list of settings.
 */
export function readEnvironment(): Environment {
  const file = readEnvFile('.env');
  const given: Record<string, string> = {};
  const origins = new Map<SettingName, 'environment' | '.env'>();
  for (const name of settingNames) {
    const value = process.env[name] || file[name];
    if (!value) continue;
    given[name] = value;
    origins.set(name, process.env[name] ? 'environment' : '.env');
  }
  return { given, origins };
}

function readEnvFile(path: string): NodeJS.Dict<string> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    if (error.code === 'ENOENT') return {};
    throw new CommandError(`${path} cannot be read (${error.code})`);
  }
  // Without the mark of the byte order, which some editors write, and which would be part of the first name.
  const text = new TextDecoder().decode(bytes).replaceAll('\r\n', '\n');
  for (let at = 0; at < text.length; at = envLine.lastIndex) {
    envLine.lastIndex = at;
    if (envLine.test(text)) continue;
    throw new UsageError(`${path}: line ${text.slice(0, at).split('\n').length} is not NAME=value`);
  }
  return parseEnv(text);
}
