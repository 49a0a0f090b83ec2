import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { Log } from '../kernel.ts';
import { RepeatedFailures } from '../repeat.ts';

/** Tells in the log that spans could not be sent, once a minute at most, with how many batches were lost since. */
export function logFailures(exporter: SpanExporter, log: Log, now?: () => number): SpanExporter {
  const failures = new RepeatedFailures(now);
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.error !== undefined) {
          const lost = failures.failed();
          // Not the error itself: it holds the collector's answer.
          const fields = { reason: result.error.message, batches_lost: lost };
          if (lost > 0) log.warn(fields, 'traces could not be sent');
        }
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}
