import type { FaultProxy } from '../fault-proxy/fault-proxy.ts';
import type { Toxic } from '../fault-proxy/toxics.ts';
import { VALUE_BYTES } from './rounds.ts';

/** How a network fails. */
export interface Fault {
  toxics?: readonly Toxic[];
  begin?(proxy: FaultProxy): Promise<void> | void;
  end?(proxy: FaultProxy): Promise<void> | void;
}

/** Through these, a call may fail. */
export const FAULTS: Record<string, Fault> = {
  'answers that come too late': {
    toxics: [{ type: 'latency', stream: 'downstream', attributes: { latency: 60_000 } }],
  },
  'requests that arrive too late': {
    toxics: [{ type: 'latency', stream: 'upstream', attributes: { latency: 60_000 } }],
  },
  'answers that trickle': { toxics: [{ type: 'bandwidth', stream: 'downstream', attributes: { rate: 1 } }] },
  'requests that trickle': { toxics: [{ type: 'bandwidth', stream: 'upstream', attributes: { rate: 1 } }] },
  'a store that hangs': { toxics: [{ type: 'timeout', stream: 'downstream', attributes: { timeout: 0 } }] },
  'requests that get lost': { toxics: [{ type: 'timeout', stream: 'upstream', attributes: { timeout: 0 } }] },
  'a store that hangs up': {
    toxics: [{ type: 'timeout', stream: 'downstream', attributes: { timeout: 50 } }],
  },
  'connections that are reset by an answer': {
    toxics: [{ type: 'reset_peer', stream: 'downstream', attributes: { timeout: 0 } }],
  },
  'connections that are reset by a request': {
    toxics: [{ type: 'reset_peer', stream: 'upstream', attributes: { timeout: 20 } }],
  },
  'connections that end in the middle of an answer': {
    toxics: [{ type: 'limit_data', stream: 'downstream', attributes: { bytes: VALUE_BYTES + 500 } }],
  },
  'connections that end in the middle of a request': {
    toxics: [{ type: 'limit_data', stream: 'upstream', attributes: { bytes: VALUE_BYTES + 500 } }],
  },
  'connections that end at once, and slowly': {
    toxics: [
      { type: 'limit_data', stream: 'downstream', attributes: { bytes: 0 } },
      { type: 'slow_close', stream: 'downstream', attributes: { delay: 100 } },
    ],
  },
  'answers that are garbage': { toxics: [{ type: 'garbage', stream: 'downstream', attributes: {} }] },
  'requests that are garbage': { toxics: [{ type: 'garbage', stream: 'upstream', attributes: {} }] },
  'a store that is down': { begin: (proxy) => proxy.down(), end: (proxy) => proxy.up() },
  'connections that are closed once': { begin: (proxy) => proxy.closeConnections() },
  'a store that is restarted': {
    async begin(proxy) {
      await proxy.down();
      await proxy.up();
    },
  },
};

/** Through these, everything takes longer and nothing fails. */
export const SLOW: Record<string, readonly Toxic[]> = {
  'answers in small pieces': [
    { type: 'slicer', stream: 'downstream', attributes: { average_size: 100, size_variation: 90 } },
  ],
  'requests in small pieces': [
    { type: 'slicer', stream: 'upstream', attributes: { average_size: 100, size_variation: 90 } },
  ],
  'answers and requests that come late by now more, now less': [
    { type: 'latency', stream: 'downstream', attributes: { latency: 8, jitter: 7 } },
    { type: 'latency', stream: 'upstream', attributes: { latency: 8, jitter: 7 } },
  ],
};

/** While they last, `open` cannot get what it needs of the store. */
export const AT_OPEN = [
  'a store that is down',
  'a store that hangs',
  'requests that get lost',
  'answers that are garbage',
];
