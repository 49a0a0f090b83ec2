import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** A span as OTLP's JSON has it. */
export interface SentSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** 1 is internal, 2 is server. */
  readonly kind: number;
  readonly status: { readonly code: number };
  readonly traceState?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** An OpenTelemetry collector that keeps what it is sent. */
export interface Collector {
  readonly url: string;
  /** Bodies as they came. */
  readonly received: readonly string[];
  readonly paths: readonly string[];
  readonly spans: readonly SentSpan[];
  /** The attributes of the resource that sent the latest spans. */
  readonly resource: Readonly<Record<string, unknown>>;
}

type Attributes = readonly { key: string; value: Record<string, unknown> }[];
const toRecord = (attributes: Attributes) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

/** Starts one that ends with the test. `answer` may refuse, or never answer; by default it takes everything. */
export async function startCollector(
  t: TestContext,
  answer = (response: ServerResponse) =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
): Promise<Collector> {
  const received: string[] = [];
  const paths: string[] = [];
  const spans: SentSpan[] = [];
  let resource: Record<string, unknown> = {};
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      received.push(body);
      paths.push(`${request.method} ${request.url}`);
      for (const { resource: sender, scopeSpans } of JSON.parse(body).resourceSpans) {
        resource = toRecord(sender.attributes);
        for (const scope of scopeSpans) {
          for (const span of scope.spans) spans.push({ ...span, attributes: toRecord(span.attributes) });
        }
      }
      answer(response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    paths,
    spans,
    get resource() {
      return resource;
    },
  };
}
