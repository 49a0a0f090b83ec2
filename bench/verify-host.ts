/** A host of its own with a bare route and the same route behind the guard of a verifier. */
import Fastify from 'fastify';
import { createVerifier } from '../src/verify/index.ts';
import { serveMessages } from './processes.ts';

const { url, issuer } = JSON.parse(process.argv[2] ?? '{}') as { url: string; issuer: string };
const verifier = createVerifier({ url, issuer });
await verifier.ready();
const app = Fastify();
const schema = { response: { 200: { type: 'object', properties: { hello: { type: 'string' } } } } };
app.get('/bare', { schema }, (_request, reply) => reply.send({ hello: 'world' }));
app.get('/guarded', { schema, onRequest: verifier.fastify }, (_request, reply) =>
  reply.send({ hello: 'world' }),
);

serveMessages<{ do: 'listen' | 'usage' }>(
  async (message) => {
    if (message.do === 'listen') return { url: await app.listen({ host: '127.0.0.1', port: 0 }) };
    const { user, system } = process.cpuUsage();
    return { cpuMicroseconds: user + system };
  },
  async () => {
    verifier.close();
    await app.close();
  },
);
