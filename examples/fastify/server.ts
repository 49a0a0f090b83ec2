/** Doorward inside a Fastify application, with its guards on a route of the application's own. */
import { createDoorward } from 'doorward';
import Fastify from 'fastify';

const port = Number(process.env.PORT ?? 3000);
const doorward = await createDoorward({
  DATABASE_URL: process.env.DATABASE_URL,
  SECRET_KEY: process.env.SECRET_KEY,
  PUBLIC_URL: `http://127.0.0.1:${port}`,
});

const app = Fastify();
await app.register(doorward.plugin, { prefix: '/auth' });
app.addHook('onClose', () => doorward.close());

app.get('/', () => ({ hello: 'everybody' }));

app.get('/notes', { onRequest: app.activeUser }, (request) => ({
  owner: request.auth.user.email,
  notes: ['Water the plants'],
}));

// What the application reads and how it answers stays its own.
app.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) => done(null, body));
app.post('/echo', (request) => ({ echo: request.body }));
app.setNotFoundHandler((request, reply) => reply.code(404).send({ error: `There is no ${request.url}` }));

console.log(`Listening on ${await app.listen({ host: '127.0.0.1', port })}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => app.close());
