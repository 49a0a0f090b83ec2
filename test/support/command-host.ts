/** Runs the commands that its parent sends, each as if it were a process of its own: its arguments, settings, folder and streams. */
import { Readable, Writable } from 'node:stream';
import type { Outcome } from './command.ts';

export interface HostedCommand {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly input: string;
}

const main = new URL('../../src/cli/main.ts', import.meta.url);
let count = 0;

/** Takes the place of one of the process' own streams. */
function replace(name: 'stdin' | 'stdout' | 'stderr', stream: Readable | Writable): void {
  Object.defineProperty(process, name, { value: stream, configurable: true });
}

async function run({ args, env, cwd, input }: HostedCommand): Promise<Outcome> {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    replace(
      name,
      new Writable({
        decodeStrings: false,
        write(chunk: string | Buffer, _encoding, done) {
          output[name] += chunk;
          done();
        },
      }),
    );
  }
  replace('stdin', Readable.from(input === '' ? [] : [Buffer.from(input)]));
  process.env = { ...env };
  process.chdir(cwd);
  process.argv = [process.execPath, main.pathname, ...args];
  process.exitCode = undefined;
  // The entry runs when it is loaded, and is loaded once under each name; what it imports stays.
  await import(`${main}?${++count}`);
  const code = Number(process.exitCode ?? 0);
  process.exitCode = undefined;
  return { code, ...output };
}

process.on('message', async (command: HostedCommand) => {
  process.send?.(await run(command));
});
process.on('disconnect', () => process.exit());
