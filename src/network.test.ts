import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWithin, networkOf, readAddress, readNetworks } from './network.ts';

test('an address has one spelling, and a text that is none has none', () => {
  for (const [text, address] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:C000:201', '192.0.2.1'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['::1', '::1'],
    ['', undefined],
    ['192.0.2', undefined],
    ['192.0.2.256', undefined],
    ['192.0.2.1:80', undefined],
    ['0300.0.2.1', undefined],
    ['3221225985', undefined],
    ['[::1]', undefined],
    ['::1::', undefined],
    ['unknown', undefined],
    [' 192.0.2.1', undefined],
  ] as const) {
    assert.equal(readAddress(text), address, text);
  }
});

test('a network is an IPv4 address, or the /64 of an IPv6 one', () => {
  for (const [address, network] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::', '2001:db8:1:3::/64'],
    ['fe80::1%eth0', 'fe80::/64'],
    ['', ''],
  ] as const) {
    assert.equal(networkOf(address), network);
  }
});

test('addresses within networks', () => {
  const networks = readNetworks('127.0.0.1, 10.0.0.0/8,2001:db8::/32,::ffff:192.168.0.0/112,') ?? [];
  assert.equal(networks.length, 4);
  for (const address of ['127.0.0.1', '10.255.0.1', '::ffff:10.1.1.1', '2001:db8:ffff::1', '192.168.7.7'])
    assert.ok(isWithin(address, networks), address);
  for (const address of ['127.0.0.2', '11.0.0.1', '2001:db9::1', '192.169.0.1', '::1', 'nobody', ''])
    assert.ok(!isWithin(address, networks), address);
  assert.deepEqual(readNetworks(''), []);
});
