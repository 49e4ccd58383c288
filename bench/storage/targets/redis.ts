import { createClient, RESP_TYPES } from '@redis/client';
import { createDriver } from '../../../src/storage/factory.ts';
import { findProgram } from '../../../tests/support/services/find-program.ts';
import { startRedis } from '../../support/redis.ts';
import type { Target } from '../target.ts';

const PROGRAM = 'redis-server';

/** A Redis on loopback that keeps nothing on disk; beside it node-redis, with a pipeline for every call. */
export async function redisTarget(): Promise<Target | string> {
  if (!findProgram(PROGRAM)) return `${PROGRAM} is not installed`;
  const server = await startRedis();
  const { port } = server;
  const client = createClient({ socket: { host: '127.0.0.1', port } }).withTypeMapping({
    [RESP_TYPES.BLOB_STRING]: Buffer,
  });
  client.on('error', () => undefined);
  await client.connect();
  const driver = createDriver('redis', { host: '127.0.0.1', port });
  await driver.open(new AbortController().signal);
  return {
    name: 'redis',
    bareName: 'node-redis with MGET and pipelined SET',
    driver,
    bare: {
      async write(keys, values) {
        await Promise.all(
          keys.map((key, i) =>
            client.set(key, Buffer.from(values[i]!.buffer, values[i]!.byteOffset, values[i]!.byteLength)),
          ),
        );
      },
      async read(keys, into) {
        for (const [i, value] of (await client.mGet([...keys])).entries()) {
          if (!Buffer.isBuffer(value)) throw new Error(`${keys[i]} is not there`);
          into[i]!.set(value);
        }
      },
      async remove(keys) {
        await client.unlink([...keys]);
      },
    },
    async stop() {
      await driver.close();
      client.destroy();
      await server.stop();
    },
  };
}
