import { setFlagsFromString } from 'node:v8';
import type { Command } from 'commander';
import type { RunningServer } from '../server.ts';
import { warn } from './output.ts';

/** Threads for everything but password hashes: files, host names, the verification of tokens. */
const otherThreads = 4;
/** A process manager's patience, usually 10 s, is not to be used up. */
const exitAfterMs = 9_700;
/** npm passes on the Ctrl-C that the terminal has told us of already. */
const sameSignalMs = 500;

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('Serve on HOST and PORT until SIGTERM or SIGINT.')
    .action(async () => {
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
      const { standardOutput } = await import('../log.ts');

      const settingSources = new Map(
        [...origins].map(([name, origin]) => [name, origin === '.env' ? ('file' as const) : origin]),
      );
      const starting = startServer(given, (line) => standardOutput().write(`${line}\n`), { settingSources });
      exitOnSignals(starting);
      exitOnCrash(starting);
      await starting;
      setFlagsFromString('--semi-space-growth-factor=2');
    });
}

/** Ends in order at the first SIGTERM or SIGINT, with exit code 0; at once at the second, with 1. */
function exitOnSignals(starting: Promise<RunningServer>): void {
  let firstAt: number | undefined;
  const onSignal = () => {
    if (firstAt !== undefined) {
      if (performance.now() - firstAt > sameSignalMs) process.exit(1);
      return;
    }
    firstAt = performance.now();
    stopAndExit(starting, 0);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

/** After what nobody caught, no promise about the state of this process holds: it is logged, and the process ends. */
function exitOnCrash(starting: Promise<RunningServer>): void {
  let isCrashing = false;
  process.on('uncaughtException', (error) => {
    if (isCrashing) process.exit(1);
    isCrashing = true;
    starting.then(
      ({ doorward }) => doorward.kernel.log.error({ err: error }, 'uncaught exception'),
      () => {},
    );
    stopAndExit(starting, 1);
  });
}

function stopAndExit(starting: Promise<RunningServer>, exitCode: number): void {
  setTimeout(() => process.exit(exitCode), exitAfterMs);
  starting
    // A start that failed has told why, and has closed what it opened.
    .then((server) => server.stop())
    .then(
      () => process.exit(exitCode),
      (error) => {
        warn(error instanceof Error ? error.message : String(error));
        process.exit(1);
      },
    );
}
