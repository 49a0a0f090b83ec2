import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import {
  type CommandOptions,
  type Outcome,
  programEnv,
  runCommand as runProcess,
  testSettings,
} from './command.ts';
import type { HostedCommand } from './command-host.ts';

interface Host {
  readonly child: ChildProcess;
  /** Rejects when the process ends. */
  readonly end: Promise<never>;
}

/** What waits for ever would hold up all the commands after it. */
const limitMs = 120_000;
let host: Host | undefined;
let last: Promise<unknown> = Promise.resolve();

function startHost(): Host {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'command-host.ts')], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: programEnv,
  });
  const end = once(child, 'exit').then(([code]): never => {
    if (host?.child === child) host = undefined;
    throw new Error(`the host of the commands ended with ${code}`);
  });
  // Whoever waits for a command is told.
  end.catch(() => {});
  return { child, end };
}

async function runHosted(command: HostedCommand): Promise<Outcome> {
  host ??= startHost();
  const { child, end } = host;
  // The test process may end while nothing is asked; the host notices, and ends as well.
  child.ref();
  child.channel?.ref();
  const answer = once(child, 'message', { signal: AbortSignal.timeout(limitMs) }).catch(() => {
    if (host?.child === child) host = undefined;
    child.kill('SIGKILL');
    throw new Error(`"doorward ${command.args.join(' ')}" did not end`);
  });
  child.send(command);
  const [outcome] = await Promise.race([answer, end]);
  child.unref();
  child.channel?.unref();
  return outcome;
}

/**
 * As `runCommand` of `command.ts`, but one after another in one process, because to start one takes several times what
 * most commands take. With DOORWARD_THOROUGH=1 each has a process of its own, as in `test/process.test.ts`.
 */
export function runCommand(args: readonly string[], options: CommandOptions): Promise<Outcome> {
  if (process.env.DOORWARD_THOROUGH === '1') return runProcess(args, options);
  const { cwd, input = '' } = options;
  const env = { ...programEnv, ...testSettings, ...options.env };
  const run = () => runHosted({ args, cwd, input: String(input), env });
  const outcome = last.then(run, run);
  last = outcome;
  return outcome;
}
