import { once } from 'node:events';
import { createServer, request } from 'node:http';

/** Passes requests on, one to each of these ports in turn, as a load balancer that knows nothing of sessions. Resolves to what ends it. */
export async function startRoundRobin(
  port: number,
  upstream: readonly number[],
): Promise<() => Promise<void>> {
  let count = 0;
  const server = createServer((incoming, outgoing) => {
    const { method, url: path, headers } = incoming;
    const to = upstream[count++ % upstream.length];
    const passed = request({ host: '127.0.0.1', port: to, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(outgoing);
    });
    passed.on('error', () => outgoing.destroy());
    outgoing.on('close', () => passed.destroy());
    incoming.pipe(passed);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
}
