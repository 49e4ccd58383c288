import { expect, test } from 'vitest';
import { slotOf } from '../../../src/storage/drivers/redis/slots.ts';
import { createDriver } from '../../../src/storage/factory.ts';

const SECRET = 'hunter2-secret';

test.each<[string, object]>([
  ["'host' cannot be given with 'url'", { url: 'redis://a', host: 'b' }],
  ["'port' cannot be given with 'url'", { url: 'redis://a', port: 7000 }],
  ["'cluster' cannot be given with 'host'", { host: 'a', cluster: ['b:1'] }],
  [
    "'sentinel' cannot be given with 'cluster'",
    { cluster: ['a:1'], sentinel: { name: 'm', nodes: ['b:1'] } },
  ],
  ["'port' cannot be given with 'sentinel'", { port: 7000, sentinel: { name: 'm', nodes: ['b:1'] } }],
  ["'db' must be 0 with 'cluster'", { cluster: ['a:1'], db: 3 }],
  ["'password' is in 'url' too", { url: `redis://:${SECRET}@a`, password: SECRET }],
  ["'username' is in 'url' too", { url: `redis://u:${SECRET}@a`, username: 'v' }],
  ["'db' is in 'url' too", { url: 'redis://a/1', db: 1 }],
  ["'tls' is false, but 'url' begins with rediss://", { url: 'rediss://a', tls: false }],
  ["'tls' cannot be given with a socket", { url: 'unix:///run/redis.sock', tls: true }],
  ["'tls.key' is required with 'tls.cert'", { tls: { cert: 'x.pem' } }],
  ["'tls.cert' is required with 'tls.key'", { tls: { key: SECRET } }],
  ["'tls.authority' is not known here; known are: ca, cert", { tls: { authority: SECRET } }],
  ["'tls.ca' must be string", { tls: { ca: 5 } }],
  ["'url' must begin with redis://", { url: `http://u:${SECRET}@a` }],
  ["'url' must begin with redis://", { url: `redis://u:${SECRET}@/x y:0:0` }],
  ["'url' must have a host", { url: 'redis://' }],
  ["'url' must have the path of a socket", { url: 'unix://' }],
  ["'url' must have a number as its database", { url: `redis://a/${SECRET}` }],
  ['\'url\' must have a "%" encoded', { url: `redis://u:${SECRET}%zz@a` }],
  ["'cluster.0' must be a host and a port", { cluster: ['a'] }],
  ["'cluster.1' must be a host and a port", { cluster: ['a:1', 'b:70000'] }],
  ["'sentinel.nodes.0' must be a host and a port", { sentinel: { name: 'm', nodes: ['redis://b:1'] } }],
  ["'sentinel.nodes' is required", { sentinel: { name: 'm' } }],
  [
    "'sentinel.quorum' is not known here; known are: name, nodes",
    { sentinel: { name: 'm', nodes: ['b:1'], quorum: 1 } },
  ],
  ["'prefix' must be letters", { prefix: 'no-colon' }],
  ["'prefix' must be letters", { prefix: '' }],
  ["'prefix' must be letters", { prefix: 'star*:' }],
  ["'ttl' must be", { ttl: 0 }],
  ["'hosts' is not known here", { hosts: 'a' }],
])('%s: refused, without a secret', (expected, options) => {
  let message = '';
  try {
    createDriver('redis', options);
  } catch (error) {
    expect(error).toMatchObject({ code: 'storage_config' });
    message = String(error);
  }
  expect(message).toContain(expected);
  expect(message).not.toContain(SECRET);
});

test.each<[object]>([
  [{}],
  [{ url: 'redis://user:p%40ss@[::1]:7000/3', tls: true }],
  [{ url: 'redis://a', username: 'u', password: 'p', db: 2 }],
  [{ url: 'unix:///run/redis.sock?db=2' }],
  [{ cluster: ['a:1', '[::1]:2'], db: 0, tls: { reject_unauthorized: false } }],
  [{ sentinel: { name: 'm', nodes: ['a:1'], username: 'u', password: 'p' }, db: 4, password: 'q' }],
])('%j is good', (options) => {
  expect(createDriver('redis', options).name).toBe('redis');
});

test('a time to live is one of its capabilities', () => {
  expect(createDriver('redis', { ttl: 60 }).capabilities.ttl).toBe(60);
  expect(createDriver('redis', {}).capabilities).not.toHaveProperty('ttl');
});

test('slots are those of the cluster specification', () => {
  // From its text and from `CLUSTER KEYSLOT`.
  expect(slotOf('123456789')).toBe(0x31c3);
  expect(slotOf('')).toBe(0);
  expect(slotOf('foo')).toBe(12_182);
  expect(slotOf('tierkv:a/b')).toBe(5973);
});
