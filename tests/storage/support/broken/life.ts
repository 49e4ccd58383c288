import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { memoryDriver } from '../../../../src/storage/drivers/memory.ts';
import { passThrough } from '../../../../src/storage/layers/pass-through.ts';
import { never } from '../calls.ts';
import { type Broken, broken, without } from './making.ts';

/** Drivers that do not begin, stop or end as they should. */
export const BROKEN_LIVES: Record<string, Broken> = {
  'does not hear a signal': {
    make: broken((right) => ({ write: (writes) => right.write(writes, never) })),
    groups: ['abort'],
    says: /write answered stored instead of aborted/,
  },
  'rejects when its signal aborts': {
    make: broken((right) => ({
      async has(keys, signal) {
        signal.throwIfAborted();
        return right.has(keys, signal);
      },
    })),
    groups: ['abort'],
    says: /has rejected, which no call may/,
  },
  'takes an abort for a miss': {
    make: broken((right) => ({
      has: async (keys, signal) =>
        without('aborted', { status: 'miss' } as const)((await right.has(keys, signal)) as never),
    })),
    groups: ['abort'],
    says: /has answered miss/,
  },
  'ends every call when one is aborted': {
    make: broken((right) => {
      let last = new AbortController();
      return {
        async read(reads, signal) {
          const both = AbortSignal.any([signal, last.signal]);
          await nextTurn();
          return right.read(reads, both);
        },
        has(keys, signal) {
          const current = last;
          signal.addEventListener('abort', () => {
            current.abort();
            last = new AbortController();
          });
          return right.has(keys, signal);
        },
      };
    }),
    groups: ['abort'],
    says: /a read at the same time answered aborted/,
  },
  'answers after it was closed': {
    make: broken((right) => ({
      has: async (keys, signal) =>
        without('closed', { status: 'miss' } as const)((await right.has(keys, signal)) as never),
    })),
    groups: ['lifecycle'],
    says: /has answered miss instead of closed/,
  },
  'throws when it is closed without having been opened': {
    make: broken((right) => {
      let isOpen = false;
      return {
        async open(signal) {
          await right.open(signal);
          isOpen = true;
        },
        async close() {
          if (!isOpen) throw new TypeError('there is no client');
          await right.close();
        },
      };
    }),
    groups: ['basic', 'lifecycle'],
    says: /close threw, which it never may: TypeError: there is no client/,
  },
  'opens in spite of having been closed meanwhile': {
    make() {
      let current = memoryDriver();
      const opening = async (signal: AbortSignal) => {
        await nextTurn();
        await nextTurn();
        current = memoryDriver();
        await current.open(signal);
      };
      return {
        ...passThrough(current),
        open: opening,
        close: () => current.close(),
        has: (keys, signal) => current.has(keys, signal),
        read: (reads, signal) => current.read(reads, signal),
        write: (writes, signal) => current.write(writes, signal),
        remove: (keys, signal) => current.remove(keys, signal),
        list: (cursor, signal) => current.list!(cursor, signal),
        usage: () => current.usage?.(),
      };
    },
    groups: ['lifecycle'],
    says: /has answered miss instead of closed/,
  },
  'throws what it likes when it cannot be opened': {
    make: broken((right) => ({
      async open(signal) {
        signal.throwIfAborted();
        await right.open(signal);
      },
    })),
    groups: ['abort'],
    says: /open threw something else than a storage_failed/,
  },
  'leaves a timer behind': {
    make: broken((right) => ({
      async open(signal) {
        await right.open(signal);
        setTimeout(() => {}, 60_000);
      },
    })),
    groups: ['lifecycle'],
    says: /still waiting for: everything that 10 drivers left behind/,
  },
  'does not end when it is closed': {
    make: broken(() => ({ close: () => new Promise(() => {}) })),
    groups: ['basic', 'lifecycle', 'abort', 'buffers'],
    says: /still waiting for: close/,
    limitMs: 500,
  },
  'leaves calls unanswered when it is closed': {
    make: broken((right) => {
      let isClosing = false;
      return {
        async close() {
          isClosing = true;
          await right.close();
        },
        async write(writes, signal) {
          const wasClosing = isClosing;
          if (!wasClosing) await sleep(1);
          if (!wasClosing && isClosing) await new Promise(() => {});
          return right.write(writes, signal);
        },
      };
    }),
    groups: ['lifecycle'],
    says: /still waiting for: write/,
  },
  'leaves a rejection to nobody': {
    make: broken((right) => ({
      has(keys, signal) {
        signal.addEventListener('abort', () => void Promise.reject(new Error('nobody waits for me')));
        return right.has(keys, signal);
      },
    })),
    groups: ['abort'],
    says: /a rejection that nobody handles: Error: nobody waits for me/,
  },
  'says that buffers are let go by a promise that rejects': {
    make: broken((right) => ({
      async read(reads, signal) {
        const results = await right.read(reads, signal);
        return results.map((result) =>
          result.status === 'error' && result.error.kind === 'aborted'
            ? { ...result, settled: Promise.reject(new Error('never mind')) }
            : result,
        );
      },
    })),
    groups: ['abort'],
    says: /settled of a read rejected|never mind/,
  },
  'keeps for ever what should expire': {
    make: broken(() => ({})),
    makeExpiring: (ttl) =>
      broken((right) => ({ capabilities: Object.freeze({ ...right.capabilities, ttl }) }))(),
    groups: ['ttl'],
    says: /still waiting for: a value that expires/,
  },
  'lets values expire at once': {
    make: broken(() => ({})),
    makeExpiring: (ttl) =>
      broken((right) => ({
        capabilities: Object.freeze({ ...right.capabilities, ttl }),
        async write(writes, signal) {
          const results = await right.write(writes, signal);
          await right.remove(
            writes.map(({ key }) => key),
            signal,
          );
          return results;
        },
      }))(),
    groups: ['ttl'],
    says: /a value was gone after \d+ ms already/,
  },
};
