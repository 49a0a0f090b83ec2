import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SettingsError } from '../settings.ts';

/** What is wrong with a file of MAIL_TEMPLATES, as the one line that stops the start. */
export function faultOf(path: string, fault: string): SettingsError {
  return new SettingsError([`MAIL_TEMPLATES: ${path}: ${fault.trim().replaceAll(/\s*\n\s*/g, '; ')}`]);
}

/**
 * The texts in a folder whose names have one of these endings, by name.
 * @throws SettingsError naming what cannot be read.
 */
export function readFolder(folder: string, endings: readonly string[]): ReadonlyMap<string, string> {
  const names = orFault(folder, () => readdirSync(folder))
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .sort();
  return new Map(
    names.map((name) => {
      const path = join(folder, name);
      // Editors of some systems begin a file with a byte order mark.
      return [name, orFault(path, () => readFileSync(path, 'utf8')).replace(/^\u{feff}/u, '')];
    }),
  );
}

function orFault<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw faultOf(path, `cannot be read (${error instanceof Error && 'code' in error ? error.code : error})`);
  }
}
