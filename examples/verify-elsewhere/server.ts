/**
 * A service that verifies the access tokens of a Doorward elsewhere, with the guard for Fastify, Express or Hono.
 * `DOORWARD_URL=http://127.0.0.1:8000 node server.ts fastify`
 */
import { serve } from '@hono/node-server';
import { createVerifier, type VerifiedVariables } from 'doorward/verify';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';

const hostname = '127.0.0.1';
const port = Number(process.env.PORT ?? 3000);
const framework = process.argv[2] ?? 'fastify';
const verifier = createVerifier({ url: process.env.DOORWARD_URL ?? 'http://127.0.0.1:8000' });

async function serveFastify() {
  const app = Fastify();
  app.get('/notes', { onRequest: verifier.fastify }, (request) => ({ owner: request.claims.sub }));
  await app.listen({ host: hostname, port });
  return app.server;
}

function serveExpress() {
  const app = express();
  app.get('/notes', verifier.express, (req, res) => {
    res.json({ owner: req.claims.sub });
  });
  return app.listen(port, hostname);
}

function serveHono() {
  const app = new Hono<{ Variables: VerifiedVariables }>();
  app.get('/notes', verifier.hono, (context) => context.json({ owner: context.get('claims').sub }));
  return serve({ fetch: app.fetch, hostname, port });
}

const start = { fastify: serveFastify, express: serveExpress, hono: serveHono }[framework];
if (start === undefined) throw new Error(`There is no example for ${framework}`);
const server = await start();
if (!server.listening) await new Promise((listening) => server.once('listening', listening));
const address = server.address();
console.log(`Listening on http://${hostname}:${typeof address === 'object' ? address?.port : port}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    verifier.close();
    server.close();
  });
}
