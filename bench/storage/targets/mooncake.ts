import { Agent, request } from 'node:http';
import { createDriver } from '../../../src/storage/factory.ts';
import type { Target } from '../target.ts';
import { startFake } from './fake-process.ts';

const CONNECTIONS = 32;

/** A service in a process of its own that keeps texts in memory; beside the driver node:http and base64. */
export async function mooncakeTarget(): Promise<Target> {
  const fake = await startFake('mooncake');
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const driver = createDriver('mooncake', { url: fake.url });
  await driver.open(new AbortController().signal);
  const send = (method: string, path: string, body?: string) =>
    new Promise<string>((resolve, reject) => {
      const call = request(`${fake.url}/api/${path}`, { method, agent });
      call.on('error', reject);
      call.on('response', (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200) resolve(Buffer.concat(parts).toString('latin1'));
          else reject(new Error(`${method} ${path}: status ${response.statusCode}`));
        });
      });
      call.setHeader('content-type', 'application/json');
      call.end(body);
    });
  const write = (key: string, value: Uint8Array) =>
    send('PUT', 'put', JSON.stringify({ key, value: Buffer.from(value).toString('base64') }));
  return {
    name: 'mooncake',
    bareName: 'node:http and base64',
    driver,
    bare: {
      async write(keys, values) {
        await Promise.all(keys.map((key, i) => write(key, values[i]!)));
      },
      async read(keys, into) {
        await Promise.all(
          keys.map(async (key, i) => into[i]!.set(Buffer.from(await send('GET', `get/${key}`), 'base64'))),
        );
      },
      async remove(keys) {
        await Promise.all(keys.map((key) => send('DELETE', `remove/${key}`)));
      },
    },
    async stop() {
      await driver.close();
      agent.destroy();
      fake.stop();
    },
  };
}
