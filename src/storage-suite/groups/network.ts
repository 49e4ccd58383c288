import type { StorageDriver } from '../../storage/driver.ts';
import type { Stores } from '../case.ts';
import { FaultProxy } from '../fault-proxy/fault-proxy.ts';

/** A driver and the proxies between it and its store. */
export interface Network {
  /** Not open yet. */
  driver: StorageDriver;
  /** Does something to every proxy. */
  each(work: (proxy: FaultProxy) => Promise<void> | void): Promise<void>;
  /** Waits until the proxies have none. */
  expectNoConnections(): Promise<void>;
}

export async function behindProxies({ options, adopt, after, skip, until }: Stores): Promise<Network> {
  const { makeThrough } = options;
  if (!makeThrough) return skip("No 'makeThrough' is given.");
  const proxies: FaultProxy[] = [];
  const driver = await makeThrough(async (upstream) => {
    const proxy = await FaultProxy.start({ upstream });
    proxies.push(proxy);
    after(() => proxy.stop());
    return proxy.address;
  });
  return {
    driver: adopt(driver),
    each: async (work) => void (await Promise.all(proxies.map(work))),
    async expectNoConnections() {
      // What a toxic holds back keeps a connection that the driver has left.
      await Promise.all(proxies.map((proxy) => proxy.removeAll()));
      const none = () => proxies.every(({ connections }) => connections.length === 0);
      await until('the connections of a driver that was closed to be closed', none);
    },
  };
}
