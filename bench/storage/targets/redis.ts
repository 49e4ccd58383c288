import { createClient, RESP_TYPES } from '@redis/client';
import { createDriver } from '../../../src/storage/factory.ts';
import { findProgram } from '../../../tests/support/services/find-program.ts';
import { freePorts, startService } from '../../../tests/support/services/service.ts';
import type { Target } from '../target.ts';

const PROGRAM = 'redis-server';

/** A Redis on loopback that keeps nothing on disk; beside it node-redis, with a pipeline for every call. */
export async function redisTarget(): Promise<Target | string> {
  if (!findProgram(PROGRAM)) return `${PROGRAM} is not installed`;
  const [port = 0] = await freePorts(1);
  const client = createClient({ socket: { host: '127.0.0.1', port } }).withTypeMapping({
    [RESP_TYPES.BLOB_STRING]: Buffer,
  });
  // While the server starts.
  client.on('error', () => undefined);
  const flags = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const server = await startService(PROGRAM, flags, async () => {
    if (!client.isOpen) await client.connect();
    return client.isReady;
  });
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
