import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { Log } from '../kernel.ts';

const quietMs = 60_000;

/** Tells in the log that spans could not be sent, once a minute at most, with how many batches were lost since. */
export function logFailures(exporter: SpanExporter, log: Log, now = () => performance.now()): SpanExporter {
  let toldAt = Number.NEGATIVE_INFINITY;
  let lost = 0;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.error !== undefined) {
          lost += 1;
          if (now() - toldAt >= quietMs) {
            // Not the error itself: it holds the collector's answer.
            log.warn({ reason: result.error.message, batches_lost: lost }, 'traces could not be sent');
            toldAt = now();
            lost = 0;
          }
        }
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}
