import { type Logger, type LoggerOptions, pino } from 'pino';
import { createLineOutput, type LineOutput } from './line-output.ts';

const secretFields = ['password', 'token', 'access_token', 'refresh_token', 'authorization', 'cookie'];

/**
 * Standard output, for a server that has it for itself. A stream of Node's, and Pino's own destination, throw what a full disk
 * answers, and the latter tries again for ever when the process ends.
 */
export function openStandardOutput(): LineOutput {
  return createLineOutput(process.stdout.fd ?? 1, (lost) => {
    const time = new Date().toISOString();
    return `${JSON.stringify({ level: 'warn', time, lost, msg: 'lines of the log were lost: standard output could not be written' })}\n`;
  });
}

/**
 * A log of one JSON object a line; without `output` on standard output, as Pino writes it beside what a host writes there. What could be a secret is never an entry's field: request
 * headers, bodies and query strings are not logged at all, and fields of these names are dropped as the net below.
 */
export function createLog(level: string, output?: LineOutput): Logger {
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label) => ({ level: label }),
      log(fields) {
        for (const name of secretFields) {
          if (Object.hasOwn(fields, name)) delete fields[name];
        }
        return fields;
      },
    },
  };
  return output === undefined ? pino(options) : pino(options, output);
}
