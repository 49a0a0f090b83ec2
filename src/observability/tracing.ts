import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { FastifyInstance } from 'fastify';
import type { Core } from '../doorward.ts';
import { DoorwardError } from '../errors.ts';
import { version } from '../version.ts';
import { logFailures } from './log-failures.ts';
import { readTraceparent } from './traceparent.ts';

export interface Tracing {
  /** Makes a span of every request of a Fastify application that has no routes yet. */
  watch(app: FastifyInstance): void;
  /** Sends what is left, for `patienceMs` at most. */
  stop(patienceMs: number): Promise<void>;
}

/**
 * Traces of one instance, sent to `url` (OTLP over HTTP, as JSON) in batches beside the requests, which never wait for
 * it: what the collector does not take in time is dropped. Nothing is registered with OpenTelemetry's globals.
 */
export function createTracing({ kernel, passwords }: Core, url: string): Tracing {
  const resource = resourceFromAttributes({ 'service.name': 'doorward', 'service.version': version });
  const exporter = logFailures(new OTLPTraceExporter({ url }), kernel.log);
  const provider = new TracerProvider({
    resource: resource.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer('doorward', version);
  const contexts = new AsyncLocalStorage<Context>();

  /** Runs `work` in a span below the one of the request; outside a request it just runs it. */
  async function inSpan<T>(name: string, work: (span: Span | undefined) => Promise<T>): Promise<T> {
    const parent = contexts.getStore();
    if (parent === undefined) return work(undefined);
    const span = tracer.startSpan(name, {}, parent);
    try {
      return await contexts.run(trace.setSpan(parent, span), () => work(span));
    } catch (error) {
      // Not its message: that may hold what somebody sent.
      span.setAttribute('error.type', error instanceof DoorwardError ? error.code : 'error');
      const isRefusal = error instanceof DoorwardError && error.status < 500;
      if (!isRefusal) span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  }

  const { db } = kernel;
  const transaction = db.transaction.bind(db);
  db.transaction = (work) => inSpan('database transaction', () => transaction(work));
  const write = db.write.bind(db);
  db.write = (statement) => inSpan('database transaction', () => write(statement));

  const { queue } = passwords;
  const run = queue.run.bind(queue);
  queue.run = (job, ...more) =>
    inSpan('password hash', (span) => {
      const askedAt = performance.now();
      return run(
        () => {
          span?.setAttribute('doorward.hash.wait_ms', Math.round(performance.now() - askedAt));
          return job();
        },
        ...more,
      );
    });

  return {
    watch(app) {
      const methods = new Set(app.supportedMethods);
      const ofRequest = new WeakMap<object, Context>();
      app.addHook('onRequest', (request, reply, done) => {
        const caller = readTraceparent(request.headers.traceparent, request.headers.tracestate);
        const parent = caller === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, caller);
        const known = methods.has(request.method);
        const route = request.routeOptions.url;
        // Neither url.path nor url.query, nor who asks: all three are the client's to fill.
        const attributes = {
          'http.request.method': known ? request.method : '_OTHER',
          'url.scheme': request.protocol,
          'doorward.request_id': request.id,
          ...(route === undefined ? {} : { 'http.route': route }),
        };
        const name = `${known ? request.method : 'HTTP'}${route === undefined ? '' : ` ${route}`}`;
        const span = tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
        ofRequest.set(request, trace.setSpan(parent, span));
        reply.raw.once('close', () => {
          const { statusCode, writableFinished } = reply.raw;
          if (writableFinished) span.setAttribute('http.response.status_code', statusCode);
          const failure = !writableFinished ? 'aborted' : statusCode >= 500 ? String(statusCode) : undefined;
          if (failure !== undefined) {
            span.setAttribute('error.type', failure).setStatus({ code: SpanStatusCode.ERROR });
          }
          span.end();
        });
        done();
      });
      // Once the body is read: what reads it would lose the context.
      app.addHook('preHandler', (request, _reply, done) => {
        const context = ofRequest.get(request);
        if (context === undefined) done();
        else contexts.run(context, done);
      });
    },
    async stop(patienceMs) {
      const sent = provider.shutdown().catch(() => {});
      await Promise.race([sent, sleep(patienceMs, undefined, { ref: false })]);
    },
  };
}
