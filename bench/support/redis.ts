import { createClient } from '@redis/client';
import { freePorts, type Service, startService } from '../../tests/support/services/service.ts';

/** A Redis on loopback that keeps nothing on disk. The caller stops it. */
export async function startRedis(): Promise<Service & { port: number }> {
  const [port = 0] = await freePorts(1);
  const flags = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const service = await startService('redis-server', flags, async () => {
    const client = createClient({ socket: { host: '127.0.0.1', port, reconnectStrategy: false } });
    client.on('error', () => undefined);
    await client.connect();
    client.destroy();
    return true;
  });
  return { ...service, port };
}
