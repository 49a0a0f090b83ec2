import type { User } from '../features/accounts/index.ts';
import { CommandError } from './failures.ts';

/** A reader that has gone (`| head`) is no failure; what is left to do is done, unread. */
const goneCodes = ['EPIPE', 'ERR_STREAM_DESTROYED'];
/** Node takes standard output for writable again once a write has failed. */
let hasReaderGone = false;

/**
 * Writes a line on standard output; slow readers are waited for.
 * @throws CommandError when it cannot be written, as on a full disk.
 */
export function print(line: string): Promise<void> {
  return new Promise((done, fail) => {
    process.stdout.write(`${line}\n`, (error?: NodeJS.ErrnoException | null) => {
      const { code } = error ?? {};
      hasReaderGone ||= goneCodes.includes(code ?? '');
      if (!error || hasReaderGone) done();
      else fail(new CommandError(`standard output cannot be written (${code})`));
    });
  });
}

/** Whether whoever read standard output has gone, as `head` does. */
export function isUnread(): boolean {
  return hasReaderGone;
}

/** Writes a line for the operator on standard error. */
export function warn(line: string): void {
  process.stderr.write(`doorward: ${line}\n`);
}

/** A text as a terminal may show it: names are chosen by anybody, and could hold escape sequences. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
}

/** A number with what it counts, of which one is told in the singular. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** Makes the lines of a table. Columns keep the greatest width they had; the last one is not padded. */
export function createTable(): (rows: readonly (readonly string[])[]) => string[] {
  const widths: number[] = [];
  return (rows) => {
    for (const row of rows) {
      for (const [column, cell] of row.entries()) {
        widths[column] = Math.max(widths[column] ?? 0, [...cell].length);
      }
    }
    return rows.map((row) =>
      row
        .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - [...cell].length))
        .join('  ')
        .trimEnd(),
    );
  };
}

/** Prints users: a table, or one UserRead object a line. Returns what prints the next ones below. */
export function createUserPrinter({
  json,
}: {
  json?: true | undefined;
}): (users: readonly User[]) => Promise<void> {
  const table = createTable();
  let header: string[][] = [['ID', 'EMAIL', 'STATE', 'ROLE', 'CREATED', 'NAME']];
  return async (users) => {
    const rows = users.map((user) => [
      String(user.id),
      printable(user.email),
      user.is_active ? 'active' : 'inactive',
      user.is_admin ? 'admin' : 'user',
      user.created_at,
      printable(user.name),
    ]);
    const lines = json ? users.map((user) => JSON.stringify(user)) : table([...header, ...rows]);
    header = [];
    if (lines.length > 0) await print(lines.join('\n'));
  };
}
