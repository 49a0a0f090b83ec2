import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import type { Command } from 'commander';
import type { Log } from '../kernel.ts';
import type { LineOutput } from '../line-output.ts';
import type { RunningServer } from '../server.ts';
import { warn } from './output.ts';

/** Threads for everything but password hashes: files, host names, the verification of tokens. */
const otherThreads = 4;
/** A process manager's patience, usually 10 s, is not to be used up. */
const exitAfterMs = 9_700;
/** For what the log still has to write. */
const lastLinesMs = 200;
/** npm passes on the Ctrl-C that the terminal has told us of already. */
const sameSignalMs = 500;
/** Short enough that who stops `npm start` and starts it again finds the port free. */
const parentCheckMs = 100;

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('Serve on HOST and PORT until SIGTERM or SIGINT.')
    .option(
      '--end-with-parent [pid]',
      'End also when the process that started it has ended, as below npm; its number tells that also where it ended before.',
    )
    .action(async ({ endWithParent }: { endWithParent?: true | string }) => {
      const parent = (typeof endWithParent === 'string' && Number(endWithParent)) || process.ppid;
      // Loading makes much short-lived garbage, for which V8 would enlarge its young generation and keep it: some 15 MB
      // more for an idle process. It may grow as usual once there are requests.
      setFlagsFromString('--semi-space-growth-factor=1');
      const { readEnvironment } = await import('./environment.ts');
      const { readSettings } = await import('../settings.ts');
      const { given, origins } = readEnvironment();
      // Hashes hold the threads of libuv's pool for long, and by default it has four: file access, name look-up and
      // the verification of tokens would wait behind them. It is made at its first use, so this has to come before.
      process.env.UV_THREADPOOL_SIZE ||= String(readSettings(given).HASH_CONCURRENCY + otherThreads);
      const { startServer } = await import('../server.ts');
      const { createLog, openStandardOutput } = await import('../log.ts');

      const settingSources = new Map(
        [...origins].map(([name, origin]) => [name, origin === '.env' ? ('file' as const) : origin]),
      );
      const output = openStandardOutput();
      const log = createLog(readSettings(given).LOG_LEVEL, output);
      const announce = (line: string) => output.write(`${line}\n`);
      const starting = startServer(given, announce, { settingSources, log });
      const end: End = (exitCode) => stopAndExit(starting, output, exitCode);
      const endInOrder = exitOnSignals(end);
      if (endWithParent !== undefined) onParentEnd(parent, endInOrder);
      exitOnCrash(log, end);
      await starting;
      setFlagsFromString('--semi-space-growth-factor=2');
    });
}

type End = (exitCode: number) => void;

/**
 * Ends in order at the first SIGTERM or SIGINT, with exit code 0; at once at the second, with 1. Returns what ends in order
 * for another reason, unless it ends already.
 */
function exitOnSignals(end: End): () => void {
  let isEnding = false;
  const endInOrder = () => {
    if (!isEnding) end(0);
    isEnding = true;
  };
  let firstAt: number | undefined;
  const onSignal = () => {
    firstAt ??= performance.now();
    if (performance.now() - firstAt > sameSignalMs) process.exit(1);
    endInOrder();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return endInOrder;
}

/** Of what npm is killed with we hear nothing: we would be left, and hold the port. An orphan has another parent. */
function onParentEnd(parent: number, act: () => void): void {
  setInterval(() => process.ppid !== parent && act(), parentCheckMs).unref();
}

/** After what nobody caught, no promise about the state of this process holds: it is logged, and the process ends. */
function exitOnCrash(log: Log, end: End): void {
  let isCrashing = false;
  process.on('uncaughtException', (error) => {
    if (isCrashing) process.exit(1);
    isCrashing = true;
    log.error({ err: error }, 'uncaught exception');
    end(1);
  });
}

async function stopAndExit(
  starting: Promise<RunningServer>,
  output: LineOutput,
  exitCode: number,
): Promise<void> {
  setTimeout(() => process.exit(exitCode), exitAfterMs);
  let code = exitCode;
  try {
    // A start that failed has told why, and has closed what it opened.
    await (await starting).stop();
  } catch (error) {
    warn(error instanceof Error ? error.message : String(error));
    code = 1;
  }
  await Promise.race([output.idle(), sleep(lastLinesMs)]);
  process.exit(code);
}
