import type { FaultProxy } from '../../src/storage-suite/fault-proxy/fault-proxy.ts';

/** What happens to the store while requests come. */
export interface Outage {
  name: string;
  begin(proxy: FaultProxy): unknown;
  end(proxy: FaultProxy): unknown;
}

const nothing = () => undefined;
const clean = (proxy: FaultProxy) => proxy.removeAll();

/** The first one is none. */
export const OUTAGES: readonly Outage[] = [
  { name: 'is well', begin: nothing, end: nothing },
  { name: 'is dead', begin: (proxy) => proxy.down(), end: (proxy) => proxy.up() },
  {
    name: 'accepts and never answers',
    begin: (proxy) => proxy.add({ type: 'timeout', attributes: { timeout: 0 } }),
    end: clean,
  },
  {
    name: 'gives 50 KB/s',
    begin(proxy) {
      for (const stream of ['upstream', 'downstream'] as const)
        proxy.add({ type: 'bandwidth', stream, attributes: { rate: 50 } });
    },
    end: clean,
  },
  {
    name: 'returns garbage',
    begin: (proxy) => proxy.add({ type: 'garbage', attributes: { share: 0.0001 } }),
    end: clean,
  },
];
