import type { FastifyInstance } from 'fastify';
import type { Core } from '../doorward.ts';

/** What watches a server from outside: nothing in the features knows of it, and what is off costs them nothing. */
export interface Observation {
  /** Watches the requests of a Fastify application that has no routes yet. */
  watch(app: FastifyInstance): void;
  /** Where the metrics are, unless they are off. */
  readonly metricsUrl: string | undefined;
  /** Sends what spans are left, for `patienceMs` at most, and closes the listener of the metrics. */
  stop(patienceMs: number): Promise<void>;
}

/**
 * Starts what the settings ask for: metrics on METRICS_PORT, traces to OTEL_EXPORTER_OTLP_ENDPOINT. The libraries of
 * what is off are not loaded.
 * @throws Error naming METRICS_PORT when it cannot be listened on.
 */
export async function observe(core: Core): Promise<Observation> {
  const { METRICS_PORT, HOST, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT } =
    core.settings;
  const tracesUrl =
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ??
    (OTEL_EXPORTER_OTLP_ENDPOINT && `${OTEL_EXPORTER_OTLP_ENDPOINT.replace(/\/$/, '')}/v1/traces`);

  const metrics = METRICS_PORT === undefined ? undefined : await startMetrics(core, HOST, METRICS_PORT);
  const tracing =
    tracesUrl === undefined ? undefined : (await import('./tracing.ts')).createTracing(core, tracesUrl);

  return {
    watch(app) {
      metrics?.watch(app);
      tracing?.watch(app);
    },
    metricsUrl: metrics?.url,
    async stop(patienceMs) {
      await tracing?.stop(patienceMs);
      await metrics?.stop();
    },
  };
}

async function startMetrics(core: Core, host: string, port: number) {
  const { createMetrics } = await import('./metrics.ts');
  const { serveMetrics } = await import('./metrics-server.ts');
  const metrics = createMetrics(core);
  return { watch: metrics.watch, ...(await serveMetrics(metrics.registry, { host, port })) };
}
