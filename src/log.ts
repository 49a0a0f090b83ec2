import { type Logger, pino } from 'pino';

const secretFields = ['password', 'token', 'access_token', 'refresh_token', 'authorization', 'cookie'];

/**
 * A log of one JSON object a line on standard output. What could be a secret is never an entry's field: request
 * headers, bodies and query strings are not logged at all, and fields of these names are dropped as the net below.
 */
export function createLog(level: string): Logger {
  return pino({
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
  });
}
