import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { CommandError, describeCause, UsageError } from './failures.ts';

/** More than any password that is accepted, whatever its characters. */
const maxPasswordBytes = 4096;
/** More than any line of an import or an export. */
const maxLineLength = 16_000_000;

/**
 * Decides where a new password comes from: standard input as it is but for one trailing line break, or a terminal, typed
 * twice and not shown. It is never an argument, because other users of the machine can read those.
 * @throws UsageError without a terminal and without `--password-stdin`.
 */
export function passwordReader({
  passwordStdin,
}: {
  passwordStdin?: true | undefined;
}): () => Promise<string> {
  return secretReader('password', { fromStdin: passwordStdin, isNew: true });
}

/** Decides the same of a passphrase; one that is not new is asked for once. */
export function passphraseReader(
  { passphraseStdin }: { passphraseStdin?: true | undefined },
  { isNew }: { isNew: boolean },
): () => Promise<string> {
  return secretReader('passphrase', { fromStdin: passphraseStdin, isNew });
}

function secretReader(
  what: 'password' | 'passphrase',
  { fromStdin, isNew }: { fromStdin: true | undefined; isNew: boolean },
): () => Promise<string> {
  if (fromStdin) return () => readStandardInput(what);
  if (process.stdin.isTTY) return () => askHidden(what, isNew);
  throw new UsageError(
    `a ${what} is asked for on a terminal; elsewhere give it on standard input with --${what}-stdin`,
  );
}

async function askHidden(what: string, isNew: boolean): Promise<string> {
  const question = what[0]?.toUpperCase() + what.slice(1);
  const questions = isNew ? [`${question}: `, `${question} again: `] : [`${question}: `];
  const [secret = '', again = secret] = await ask(questions, { hidden: true });
  if (again !== secret) throw new CommandError(`the ${what}s differ`);
  return secret;
}

/**
 * Decides how to be sure before something is destroyed: `--yes`, or an answer on a terminal. What is returned asks, and
 * throws CommandError when the answer is anything but yes.
 * @throws UsageError without a terminal and without `--yes`.
 */
export function confirmation({ yes }: { yes?: true | undefined }): (question: string) => Promise<void> {
  if (yes) return async () => {};
  if (process.stdin.isTTY) return confirm;
  throw new UsageError('without a terminal, this needs --yes');
}

/** The same for what can be made anew, which a script removes without `--yes` as well. */
export function confirmationOnTerminal({
  yes,
}: {
  yes?: true | undefined;
}): (question: string) => Promise<void> {
  return confirmation({ yes: yes || !process.stdin.isTTY || undefined });
}

async function confirm(question: string): Promise<void> {
  const [answer = ''] = await ask([`${question} [y/N] `], {});
  if (!/^y(es)?$/i.test(answer)) throw new CommandError('nothing was done');
}

async function readStandardInput(what: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxPasswordBytes) throw new CommandError(`the ${what} on standard input is too long`);
  }
  try {
    // A byte order mark is no part of what somebody typed into a file, and the decoder drops it.
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)).replace(/\r?\n$/, '');
  } catch {
    throw new CommandError(`the ${what} on standard input is not UTF-8`);
  }
}

/**
 * The lines of a file of JSON Lines; `-` is standard input. Node's `readline` would end a line at U+2028 as well, which JSON
 * has within texts, and pass over what is not UTF-8. Whoever stops asking ends the reading.
 * @throws CommandError when the file cannot be read, is not UTF-8 or has an endless line.
 */
export async function* readLines(file: string): AsyncGenerator<string> {
  const input: AsyncIterable<Buffer> = file === '-' ? process.stdin : createReadStream(file);
  // Drops a byte order mark.
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let count = 0;
  let begun: string[] = [];
  let begunLength = 0;
  const decode = (...octets: Parameters<typeof decoder.decode>) => {
    try {
      return decoder.decode(...octets);
    } catch {
      throw new CommandError(`${file} is not UTF-8, behind line ${count}`);
    }
  };
  const finish = (end: string) => {
    const line = [...begun, end].join('');
    begun = [];
    begunLength = 0;
    count++;
    return line.endsWith('\r') ? line.slice(0, -1) : line;
  };
  try {
    for await (const chunk of input) {
      const [first = '', ...others] = decode(chunk, { stream: true }).split('\n');
      const last = others.pop();
      if (last !== undefined) {
        yield finish(first);
        for (const line of others) yield finish(line);
      }
      begun.push(last ?? first);
      begunLength += (last ?? first).length;
      if (begunLength > maxLineLength)
        throw new CommandError(`${file} has no line break behind line ${count}`);
    }
    begun.push(decode());
    if (begun.join('') !== '') yield finish('');
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`${file} cannot be read (${describeCause(error)})`);
  }
}

/**
 * Asks on standard error, so that standard output stays what a script reads. One interface for all questions: of what comes
 * at once, as what is pasted does, it would lose the lines after its first.
 */
async function ask(
  questions: readonly string[],
  { hidden = false }: { hidden?: boolean },
): Promise<string[]> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  // Before anything is asked: from here on the terminal does not show what is typed.
  const lines = createInterface({
    input: process.stdin,
    output: hidden ? nowhere : process.stderr,
    terminal: true,
    historySize: 0,
  });
  const typed = lines[Symbol.asyncIterator]();
  const answers: string[] = [];
  try {
    for (const question of questions) {
      process.stderr.write(question);
      const { done, value } = await typed.next();
      // Enter is not shown either; Ctrl-C and Ctrl-D end the lines.
      if (hidden || done) process.stderr.write('\n');
      if (done) throw new CommandError('nothing was done');
      answers.push(value);
    }
    return answers;
  } finally {
    lines.close();
  }
}
