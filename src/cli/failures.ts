import { DoorwardError, ValidationError, type ValidationIssue } from '../errors.ts';

/** A command that failed; the message is for the operator. Exit code 1. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';
}

/** A command line or an environment that has to be changed before anything can be tried. Exit code 2. */
export class UsageError extends CommandError {
  override readonly name = 'UsageError';
}

/** An empty name is how an unset variable of a shell comes. */
export function assertNamed(what: 'file' | 'folder', name: string | undefined): void {
  if (name === '') throw new UsageError(`the name of the ${what} is empty`);
}

/** What to print of a failure, a line each, and how to exit: 1 it failed, 2 wrong usage, wrong settings included. */
export function describeFailure(error: unknown): { lines: readonly string[]; exitCode: 1 | 2 } {
  if (error instanceof UsageError) return { lines: [error.message], exitCode: 2 };
  // Known by its name, so that printing a failure never loads what the settings need.
  if (error instanceof Error && error.name === 'SettingsError')
    return { lines: error.message.split('\n'), exitCode: 2 };
  if (error instanceof ValidationError) return { lines: error.issues.map(describeIssue), exitCode: 1 };
  if (error instanceof DoorwardError && error.message !== error.detail) {
    return { lines: [oneLine(`${error.detail}: ${error.message}`)], exitCode: 1 };
  }
  return {
    lines: [oneLine(error instanceof Error ? error.message || error.name : String(error))],
    exitCode: 1,
  };
}

/** An issue without the place it would have in a request. */
export function describeIssue({ loc, msg }: ValidationIssue): string {
  const message = msg.replace(/^Value error, /, '').replace(/: The email address is not valid\.$/, '');
  return [...loc.slice(1), message].join(': ');
}

/** Why a file could not be read or written, in a word where the system has one. */
export function describeCause(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code);
  return error instanceof Error ? error.message : String(error);
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, '; ');
}
