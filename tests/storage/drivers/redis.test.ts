import { beforeAll } from 'vitest';
import { createDriver } from '../../../src/storage/factory.ts';
import { describeWith } from '../../support/services/programs.ts';
import {
  REDIS_PACKAGES,
  REDIS_PROGRAMS,
  type RedisServer,
  startRedis,
  startRedisCluster,
} from '../../support/services/redis.ts';
import { conformance } from '../conformance/conformance.ts';
import { LAYERS } from '../support/layers.ts';

let stores = 0;
/** A store of its own, on a server that others use too. */
const prefix = () => `store-${++stores}:`;
const layers = LAYERS['all layers']!;

describeWith(REDIS_PROGRAMS, REDIS_PACKAGES, 'redis', () => {
  let server: RedisServer;
  let cluster: string[];
  beforeAll(async () => {
    server = await startRedis();
    cluster = (await startRedisCluster()).map(({ port }) => `127.0.0.1:${port}`);
  }, 60_000);

  const single = (options: object = {}) =>
    createDriver('redis', { port: server.port, prefix: prefix(), ...options });
  const several = () => createDriver('redis', { cluster, prefix: prefix() });
  conformance('a Redis server', () => single(), {
    makeExpiring: (ttl) => single({ ttl }),
    makeThrough: async (proxy) => single(await proxy({ host: '127.0.0.1', port: server.port })),
  });
  conformance('a Redis server in all layers', () => layers(single()), {
    makeThrough: async (proxy) => layers(single(await proxy({ host: '127.0.0.1', port: server.port }))),
  });
  conformance('a Redis cluster', several);
  conformance('a Redis cluster in all layers', () => layers(several()));
});
