/** Doorward inside a Hono application, through the Fetch standard. */
import { serve } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import { createDoorward, DoorwardError, type User } from 'doorward';
import { Hono } from 'hono';
import { createMiddleware } from 'hono/factory';

const port = Number(process.env.PORT ?? 3000);
const doorward = await createDoorward({
  DATABASE_URL: process.env.DATABASE_URL,
  SECRET_KEY: process.env.SECRET_KEY,
  PUBLIC_URL: `http://127.0.0.1:${port}`,
});

const app = new Hono();

const doorwardPaths = [
  '/auth/*',
  // The pages, to which the links of mails lead.
  ...['/account', '/account/*', '/console', '/console/*'],
  ...['/docs', '/docs/*', '/openapi.json'],
  '/.well-known/jwks.json',
  '/health/*',
];
app.on(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'], doorwardPaths, (context) => {
  const { address } = getConnInfo(context).remote;
  return doorward.fetch(context.req.raw, address === undefined ? {} : { remoteAddress: address });
});

const activeUser = createMiddleware<{ Variables: { user: User } }>(async (context, next) => {
  const [, token] = /^Bearer +(\S+)$/i.exec(context.req.header('authorization') ?? '') ?? [];
  if (token === undefined) throw new DoorwardError('not_authenticated');
  const { user } = await doorward.sessions.authenticate(token);
  if (!user.is_active) throw new DoorwardError('inactive_user');
  context.set('user', user);
  await next();
});

app.get('/', (context) => context.json({ hello: 'everybody' }));
app.get('/notes', activeUser, (context) =>
  context.json({ owner: context.get('user').email, notes: ['Water the plants'] }),
);
app.post('/echo', async (context) => context.json({ echo: await context.req.text() }));

app.notFound((context) => context.json({ error: `There is no ${context.req.path}` }, 404));
app.onError((error, context) => {
  if (!(error instanceof DoorwardError)) return context.json({ error: 'Something broke' }, 500);
  if (error.status === 401) context.header('WWW-Authenticate', 'Bearer');
  return context.json({ error: error.detail }, error.status as 401 | 403 | 503);
});

const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port }, (info) => {
  console.log(`Listening on http://127.0.0.1:${info.port}`);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    // Side by side: a stream of revocations ends only when Doorward does.
    server.close();
    void doorward.close();
  });
}
