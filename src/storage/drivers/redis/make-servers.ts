import type { ConnectionOptions } from 'node:tls';
import { Cluster } from './cluster.ts';
import { Link, type Redis } from './link.ts';
import { connectToMaster } from './sentinel.ts';
import type { Servers } from './servers.ts';
import type { Settings } from './settings.ts';
import { SingleServer } from './single.ts';

/** The servers of some settings; nothing is connected yet. */
export function makeServers(
  redis: Redis,
  settings: Settings,
  tls: ConnectionOptions | undefined,
  prefix: string,
): Servers {
  const { credentials, db, addressOptions: options, sentinel, addresses } = settings;
  const common = { credentials, db, tls, options };
  if (settings.kind === 'cluster')
    return new Cluster(
      (address, signal) => Link.make(redis, { ...common, address, mode: 'cluster' }, signal),
      addresses,
      prefix,
    );
  if (sentinel)
    return new SingleServer(
      (signal) => connectToMaster(redis, settings, sentinel, { ...common, mode: 'standalone' }, signal),
      prefix,
    );
  const [address] = addresses;
  return new SingleServer(
    (signal) => Link.make(redis, { ...common, address: address!, mode: 'standalone' }, signal),
    prefix,
  );
}
