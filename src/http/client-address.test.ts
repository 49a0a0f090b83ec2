import assert from 'node:assert/strict';
import { test } from 'node:test';
import Fastify from 'fastify';
import type { GivenSettings } from '../settings.ts';
import { readSettings } from '../settings.ts';
import { installClientAddress } from './client-address.ts';

/** The address that is seen of a request from `remoteAddress` with these headers. */
async function seen(
  settings: GivenSettings,
  remoteAddress: string,
  headers: Record<string, string | string[]> = {},
  options: { trustProxy?: boolean } = {},
): Promise<string> {
  const app = Fastify(options);
  installClientAddress(app, readSettings(settings));
  app.get('/', (request) => request.clientAddress);
  const { payload } = await app.inject({ url: '/', remoteAddress, headers });
  await app.close();
  return payload;
}

const proxies = { TRUSTED_PROXIES: '10.0.0.0/8, 2001:db8:ffff::/48' };
const forwarded = { ...proxies, TRUSTED_PROXY_HEADER: 'forwarded' };

test('whoever is no trusted proxy is taken at nobody’s word', async () => {
  const headers = { 'x-forwarded-for': '198.51.100.1', forwarded: 'for=198.51.100.2' };
  for (const settings of [{}, proxies, forwarded]) {
    assert.equal(await seen(settings, '192.0.2.1', headers), '192.0.2.1');
    assert.equal(await seen(settings, '::ffff:192.0.2.1', headers), '192.0.2.1');
  }
});

test('without proxies of ours the host’s own trustProxy decides', async () => {
  const headers = { 'x-forwarded-for': '198.51.100.1' };
  assert.equal(await seen({}, '192.0.2.1', headers, { trustProxy: true }), '198.51.100.1');
  assert.equal(await seen(proxies, '192.0.2.1', headers, { trustProxy: true }), '192.0.2.1');
});

test('X-Forwarded-For is read from the right, up to the first that is no proxy', async () => {
  for (const [header, client] of [
    ['198.51.100.1', '198.51.100.1'],
    ['203.0.113.9, 198.51.100.1', '198.51.100.1'],
    ['203.0.113.9, 198.51.100.1, 10.9.9.9', '198.51.100.1'],
    ['203.0.113.9,10.9.9.8,  10.9.9.9', '203.0.113.9'],
    ['10.9.9.8, 10.9.9.9', '10.9.9.8'],
    ['2001:DB8::7', '2001:db8::7'],
    ['198.51.100.1:4711', '198.51.100.1'],
    ['[2001:db8::7]:4711', '2001:db8::7'],
    ['::ffff:198.51.100.1', '198.51.100.1'],
    // What is no address ends the walk.
    ['', '10.0.0.1'],
    ['unknown', '10.0.0.1'],
    ['198.51.100.1, ', '10.0.0.1'],
    ['198.51.100.1, nonsense, 10.9.9.9', '10.9.9.9'],
    ['198.51.100.1 10.9.9.9', '10.0.0.1'],
    ['127.1', '10.0.0.1'],
  ] as const) {
    assert.equal(await seen(proxies, '10.0.0.1', { 'x-forwarded-for': header }), client, header);
    assert.equal(await seen(forwarded, '10.0.0.1', { 'x-forwarded-for': header }), '10.0.0.1');
  }
  assert.equal(
    await seen(proxies, '2001:db8:ffff::1', { 'x-forwarded-for': '198.51.100.1' }),
    '198.51.100.1',
  );
});

test('with TRUSTED_PROXY_HEADER=forwarded RFC 7239 is read instead', async () => {
  for (const [header, client] of [
    ['for=198.51.100.1', '198.51.100.1'],
    ['For="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
    ['for=198.51.100.1;proto=http;by=203.0.113.43', '198.51.100.1'],
    ['for=203.0.113.9, for=198.51.100.1;host="a,b;c"', '198.51.100.1'],
    ['for=203.0.113.9, for="198.51.100.1:80" ; proto=https, FOR=10.1.1.1', '198.51.100.1'],
    ['for=203.0.113.9;by="\\"", for="1\\98.51.100.1"', '198.51.100.1'],
    // Nothing that tells an address, or nothing that can be read.
    ['for=unknown', '10.0.0.1'],
    ['for=_hidden', '10.0.0.1'],
    ['for=198.51.100.1, proto=https', '10.0.0.1'],
    ['for=198.51.100.1, for=_hidden, for=10.9.9.9', '10.9.9.9'],
    ['for=2001:db8::1', '2001:db8::1'],
    ['for="198.51.100.1', '10.0.0.1'],
    ['for="x, for=198.51.100.1', '10.0.0.1'],
    ['198.51.100.1', '10.0.0.1'],
    ['for=198.51.100.1,', '10.0.0.1'],
    ['', '10.0.0.1'],
  ] as const) {
    assert.equal(await seen(forwarded, '10.0.0.1', { forwarded: header }), client, header);
    assert.equal(await seen(proxies, '10.0.0.1', { forwarded: header }), '10.0.0.1');
  }
});
