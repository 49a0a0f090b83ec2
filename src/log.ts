import { type Logger, pino } from 'pino';

/**
 * A log of one JSON object a line on standard output. What could be a secret is never an entry's field: request
 * headers, bodies and query strings are not logged at all, and these paths are the net below.
 */
export function createLog(level: string): Logger {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: ['password', '*.password', 'token', '*.token', 'authorization', '*.authorization'],
      remove: true,
    },
  });
}
