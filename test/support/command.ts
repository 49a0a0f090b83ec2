import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { isBuilt } from '../../scripts/is-built.ts';

const root = join(import.meta.dirname, '../..');

/** The command as it is shipped; from the sources when they have changed since the last build. */
export const main = join(root, isBuilt() ? 'dist/cli/main.js' : 'src/cli/main.ts');

export interface CommandOptions {
  /** The settings; nothing else of this process' environment is passed on but `programEnv`. */
  readonly env?: Record<string, string>;
  /** Where `.env` is looked for and `data` is made. */
  readonly cwd: string;
  /** Standard input. */
  readonly input?: string | Buffer;
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const { PATH, NODE_COMPILE_CACHE } = process.env;

/** What a process needs of this one's environment: where programs are, and what others have compiled of our sources. */
export const programEnv: Readonly<Record<string, string>> = {
  PATH: PATH ?? '',
  ...(NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }),
};

/** The cheapest hashes that the settings allow, and as many tries as a test makes. */
export const testSettings = {
  ARGON2_MEMORY_KIB: '7168',
  ARGON2_PASSES: '5',
  ARGON2_LANES: '1',
  RATE_LIMITS: 'off',
};

function spawnCommand(args: readonly string[], { env, cwd }: CommandOptions): ChildProcess {
  return spawn(process.execPath, [main, ...args], {
    cwd,
    env: { ...programEnv, ...testSettings, ...env },
  });
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  return output;
}

/** Runs `doorward` with these arguments in a process of its own, to its end. */
export async function runCommand(args: readonly string[], options: CommandOptions): Promise<Outcome> {
  const child = spawnCommand(args, options);
  const output = collect(child);
  // A command that does not read its input ends before it is written.
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input ?? '');
  const [code] = await once(child, 'close');
  return { code, ...output };
}

/** Begins `doorward` with these arguments. What it prints is not read. */
export function beginCommand(args: readonly string[], options: CommandOptions) {
  const child = spawnCommand(args, options);
  child.stdin?.end(options.input ?? '');
  child.stdout?.resume();
  child.stderr?.resume();
  const ended = once(child, 'close').then(([code]): number | null => code);
  return { signal: (name: NodeJS.Signals) => void child.kill(name), ended };
}

/** A process of `doorward serve`. */
export interface ServeProcess {
  readonly url: string;
  readonly output: { readonly stdout: string; readonly stderr: string };
  readonly pid: number;
  signal(name: NodeJS.Signals): void;
  /** Its exit code, when it has ended; null after a signal that it did not handle. */
  readonly ended: Promise<number | null>;
}

/** Starts `doorward serve` on a free port and waits until it listens. */
export async function startServe(options: CommandOptions): Promise<ServeProcess> {
  const child = spawnCommand(['serve'], { ...options, env: { PORT: '0', ...options.env } });
  const output = collect(child);
  child.stdin?.end();
  const ended = once(child, 'close').then(([code]): number | null => code);
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', () => {
      const listening = /listens on (\S+),.*\n/.exec(output.stdout);
      if (listening?.[1]) resolve(listening[1]);
    });
    ended.then((code) => reject(new Error(`serve ended with ${code}: ${output.stderr}`)));
  });
  return { url, output, pid: child.pid ?? 0, signal: (name) => void child.kill(name), ended };
}
