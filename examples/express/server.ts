/** Doorward inside an Express 5 application, whose own routes ask Doorward who is there. */
import { createDoorward, DoorwardError } from 'doorward';
import express, { type NextFunction, type Request, type Response } from 'express';

const port = Number(process.env.PORT ?? 3000);
const doorward = await createDoorward({
  DATABASE_URL: process.env.DATABASE_URL,
  SECRET_KEY: process.env.SECRET_KEY,
  PUBLIC_URL: `http://127.0.0.1:${port}`,
});

const app = express();
app.disable('x-powered-by');

// Before any body parser: Doorward reads its requests itself. `all`, not `use`, which would cut the path.
const doorwardPaths = [
  '/auth/{*path}',
  // The pages, to which the links of mails lead.
  '/account{/*path}',
  '/console{/*path}',
  '/docs{/*path}',
  '/openapi.json',
  '/.well-known/jwks.json',
  '/health/{*path}',
];
app.all(doorwardPaths, doorward.handler);

app.use(express.json(), express.text());

async function activeUser(request: Request, response: Response, next: NextFunction) {
  const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (token === undefined) throw new DoorwardError('not_authenticated');
  const { user } = await doorward.sessions.authenticate(token);
  if (!user.is_active) throw new DoorwardError('inactive_user');
  response.locals.user = user;
  next();
}

app.get('/', (_request, response) => {
  response.json({ hello: 'everybody' });
});

app.get('/notes', activeUser, (_request, response) => {
  response.json({ owner: response.locals.user.email, notes: ['Water the plants'] });
});

app.post('/echo', (request, response) => {
  response.json({ echo: request.body });
});

app.use((request, response) => {
  response.status(404).json({ error: `There is no ${request.path}` });
});

app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
  if (!(error instanceof DoorwardError)) return next(error);
  if (error.status === 401) response.set('WWW-Authenticate', 'Bearer');
  response.status(error.status).json({ error: error.detail });
});

const server = app.listen(port, '127.0.0.1', () => {
  const address = server.address();
  console.log(`Listening on http://127.0.0.1:${typeof address === 'object' ? address?.port : port}`);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    // Side by side: a stream of revocations ends only when Doorward does.
    server.close();
    void doorward.close();
  });
}
