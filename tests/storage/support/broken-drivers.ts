import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { scatter, totalBytes } from '../../../src/storage/buffers.ts';
import type { Failed, Listing, Read, ReadResult, StorageDriver, Write } from '../../../src/storage/driver.ts';
import { memoryDriver } from '../../../src/storage/drivers/memory.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';
import { failed } from '../../../src/storage/results.ts';
import type { GroupName } from '../../../src/storage-suite/index.ts';
import { listAll, never } from './calls.ts';

/** A driver that breaks the contract in one way. */
export interface Broken {
  make(): StorageDriver;
  makeExpiring?(seconds: number): StorageDriver;
  /** Where the suite must find it, and nowhere else. */
  groups: GroupName[];
  /** What one of the failures says. */
  says: RegExp;
  /** For one that hangs in many cases: how long each may take. */
  limitMs?: number;
}

type Change = (right: StorageDriver) => Partial<StorageDriver>;

/** A driver that is right but for what is replaced. */
function broken(change: Change): () => StorageDriver {
  return () => {
    const right = passThrough(memoryDriver());
    return { ...right, ...change(right) };
  };
}

const ok = { status: 'stored' } as const;

/** Does something to every read that was a hit, before it is answered. */
function afterHits(right: StorageDriver, work: (read: Read, bytes: number) => void): StorageDriver['read'] {
  return async (reads, signal) => {
    const results = await right.read(reads, signal);
    results.forEach((result, i) => {
      if (result.status === 'hit') work(reads[i]!, result.bytes);
    });
    return results;
  };
}

/** Replaces keys by others. */
function renamed(change: (key: string) => string): Change {
  return (right) => ({
    has: (keys, signal) => right.has(keys.map(change), signal),
    read: (reads, signal) =>
      right.read(
        reads.map((read) => ({ ...read, key: change(read.key) })),
        signal,
      ),
    write: (writes, signal) =>
      right.write(
        writes.map((write) => ({ ...write, key: change(write.key) })),
        signal,
      ),
    remove: (keys, signal) => right.remove(keys.map(change), signal),
  });
}

function renamedValues(change: (value: Buffer) => Buffer): Change {
  return (right) => ({
    write: (writes, signal) =>
      right.write(
        writes.map(({ key, parts }) => ({ key, parts: [change(Buffer.concat(parts))] })),
        signal,
      ),
  });
}

/** Every answer again, with another one where a failure of that kind was. */
const without = <R extends { status: string } | Failed>(kind: string, instead: R) => {
  return (results: R[]): R[] =>
    results.map((result) => ('error' in result && result.error.kind === kind ? instead : result));
};

/** A listing whose cursor is a place in the order of the keys, which moves when they change. */
async function byPlace(right: StorageDriver, cursor: string | undefined): Promise<Listing> {
  const keys = await listAll(right);
  const from = Number(cursor ?? 0);
  return {
    keys: keys.slice(from, from + 100),
    next: from + 100 < keys.length ? String(from + 100) : undefined,
  };
}

export const BROKEN: Record<string, Broken> = {
  'keeps the buffers that it writes from': {
    make: broken((right) => {
      const kept = new Map<string, readonly Uint8Array[]>();
      return {
        async write(writes, signal) {
          const results = await right.write(writes, signal);
          results.forEach((result, i) => {
            if (result.status === 'stored') kept.set(writes[i]!.key, writes[i]!.parts);
          });
          return results;
        },
        read: afterHits(right, ({ key, into }) => scatter(Buffer.concat(kept.get(key) ?? []), into)),
      };
    }),
    groups: ['abort', 'buffers'],
    says: /after its buffer was used for something else is wrong from byte 0/,
  },
  'changes the buffers that it writes from': {
    make: broken((right) => ({
      async write(writes, signal) {
        const results = await right.write(writes, signal);
        for (const { parts } of writes) for (const part of parts) part[part.byteLength - 1]! ^= 1;
        return results;
      },
    })),
    groups: ['basic', 'large values', 'batch', 'overwrite', 'concurrency', 'buffers'],
    says: /the buffer that was written from is wrong from byte 499/,
  },
  'keeps the buffers that it reads into': {
    make: broken((right) => {
      const kept = new Map<string, readonly Uint8Array[]>();
      return {
        read: afterHits(right, ({ key, into }, bytes) => {
          const before = kept.get(key);
          if (before) scatter(Buffer.concat(before).subarray(0, bytes), into);
          else kept.set(key, into);
        }),
        async write(writes, signal) {
          for (const { key } of writes) kept.delete(key);
          return right.write(writes, signal);
        },
      };
    }),
    groups: ['concurrency', 'abort', 'buffers'],
    says: /after its buffers were used for something else/,
  },
  'touches the buffers that it has read into once more': {
    make: broken((right) => ({
      read: afterHits(right, ({ into }) => {
        setTimeout(() => {
          for (const buffer of into) buffer.fill(0);
        }, 5);
      }),
    })),
    groups: ['lifecycle', 'abort', 'buffers'],
    says: /a buffer of a read that was over was changed at byte 0/,
  },
  'touches the buffers of an aborted read once more': {
    make: broken((right) => ({
      read: (reads, signal) => {
        const results = right.read(reads, signal);
        if (signal !== never)
          signal.addEventListener('abort', () =>
            setTimeout(() => {
              for (const { into } of reads) for (const buffer of into) buffer.fill(0);
            }, 0),
          );
        return results;
      },
    })),
    groups: ['abort'],
    says: /a buffer of a read that was over was changed at byte 0/,
  },
  'writes zeros behind a value': {
    make: broken((right) => ({
      read: afterHits(right, ({ into }, bytes) => {
        let at = 0;
        for (const buffer of into) {
          buffer.fill(0, Math.min(buffer.byteLength, Math.max(0, bytes - at)));
          at += buffer.byteLength;
        }
      }),
    })),
    groups: ['buffers'],
    says: /a buffer beyond the value was changed/,
  },
  'says that buffers are filled before they are': {
    make: broken((right) => ({
      async read(reads, signal) {
        for (const { into, filled } of reads) filled?.(Math.min(2000, totalBytes(into)));
        return right.read(reads, signal);
      },
    })),
    groups: ['buffers'],
    says: /filled/,
  },
  'answers in another order than it was asked': {
    make: broken((right) => ({ has: async (keys, signal) => (await right.has(keys, signal)).reverse() })),
    groups: ['batch', 'keys'],
    says: /has answered/,
  },
  'gives values of a batch to one another': {
    make: broken((right) => ({
      read: (reads, signal) =>
        right.read(
          reads.map((read, i) => ({ ...read, into: reads[reads.length - 1 - i]!.into })),
          signal,
        ),
    })),
    groups: ['large values', 'batch', 'concurrency', 'buffers'],
    says: /the value of key 1 is wrong from byte/,
  },
  'gives one answer too few': {
    make: broken((right) => ({ has: async (keys, signal) => (await right.has(keys, signal)).slice(0, 99) })),
    groups: ['batch', 'clear', 'lifecycle'],
    says: /has gave 99 answers for 128 keys/,
  },
  'answers with what the contract does not have': {
    make: broken((right) => ({
      has: async (keys, signal) =>
        (await right.has(keys, signal)).map((result) =>
          result.status === 'miss' ? ({ status: 'absent' } as never) : result,
        ),
    })),
    groups: ['basic', 'batch', 'large values', 'keys', 'clear', 'lifecycle', 'abort'],
    says: /has answered for key 1 of 1 with the status absent/,
  },
  'fails with a kind of its own': {
    make: broken((right) => ({
      read: async (reads, signal) =>
        (await right.read(reads, signal)).map((result) =>
          result.status === 'error' && result.error.kind === 'size'
            ? ({ status: 'error', error: { kind: 'too_long', message: 'too long' } } as never)
            : result,
        ),
    })),
    groups: ['basic', 'batch', 'large values', 'buffers'],
    says: /with the error kind too_long/,
  },
  'finds what was removed': {
    make: broken((right) => {
      const seen = new Set<string>();
      return {
        async has(keys, signal) {
          const results = await right.has(keys, signal);
          return results.map((result, i) => {
            if (result.status === 'hit') seen.add(keys[i]!);
            return result.status === 'miss' && seen.has(keys[i]!) ? { status: 'hit' } : result;
          });
        },
      };
    }),
    groups: ['basic'],
    says: /has answered \{ status: 'hit' \} instead of \{ status: 'miss' \}/,
  },
  'removes what is not there': {
    make: broken((right) => ({
      remove: async (keys, signal) =>
        (await right.remove(keys, signal)).map((result) =>
          result.status === 'miss' ? { status: 'removed' } : result,
        ),
    })),
    groups: ['basic', 'batch'],
    says: /remove answered \{ status: 'removed' \} instead of \{ status: 'miss' \}/,
  },
  'takes an empty value for none': {
    make: broken((right) => ({
      read: async (reads, signal) =>
        (await right.read(reads, signal)).map((result) =>
          result.status === 'hit' && result.bytes === 0 ? { status: 'miss' } : result,
        ),
    })),
    groups: ['basic', 'overwrite', 'buffers'],
    says: /read answered/,
  },
  'takes values for text': {
    make: broken(renamedValues((value) => Buffer.from(value.toString('utf8')))),
    groups: ['basic', 'batch', 'large values', 'keys', 'overwrite', 'concurrency', 'clear', 'buffers'],
    says: /the value that was read has \d+ bytes instead of 256/,
  },
  'cuts a value to the buffers that are there': {
    make: broken((right) => ({
      read: async (reads, signal) =>
        (await right.read(reads, signal)).map(
          (result, i): ReadResult =>
            result.status === 'error' && result.error.kind === 'size'
              ? { status: 'hit', bytes: totalBytes(reads[i]!.into) }
              : result,
        ),
    })),
    groups: ['basic', 'batch', 'large values', 'buffers'],
    says: /answered false instead of 'size'/,
  },
  'stores values that are too large': {
    make: broken((right) => ({
      write: async (writes, signal) =>
        (await right.write(writes, signal)).map((result) =>
          'error' in result && result.error.kind === 'size' ? ok : result,
        ),
    })),
    groups: ['large values'],
    says: /write answered stored instead of size/,
  },
  'has capabilities that can be changed': {
    make: broken((right) => ({ capabilities: { ...right.capabilities } })),
    groups: ['basic'],
    says: /the capabilities are not frozen/,
  },
  'takes a slash for something else': {
    make: broken(renamed((key) => key.replaceAll(/(?<=.)\/(?=[^/.])/g, '_'))),
    groups: ['keys', 'list', 'clear'],
    says: /the value of 'foo_bar'|the value of 'ba\/r'|write of/,
  },
  'looks at the beginning of keys only': {
    make: broken(renamed((key) => (key.length > 201 ? key : key.slice(0, 60)))),
    groups: ['keys', 'list'],
    says: /the value of '[0-9a-f]{64}'/,
  },
  'takes what is no key': {
    make: broken((right) => {
      const good = (key: string) => key.replace(/^[^a-z0-9_-]+|[^a-z0-9._/-]+/g, 'x') || 'x';
      return { ...renamed((key) => good(key).slice(0, 200))(right) };
    }),
    groups: ['keys'],
    says: /write of .* answered stored instead of io/,
  },
  'fails a whole batch for one bad key': {
    make: broken((right) => {
      const fail = <R extends { status: string }>(results: R[]): (R | Failed)[] =>
        results.some((result) => (result as { error?: { kind: string } }).error?.kind === 'io')
          ? results.map(() => failed('io', 'A key of the batch is none.'))
          : results;
      return { has: async (keys, signal) => fail(await right.has(keys, signal)) };
    }),
    groups: ['keys'],
    says: /has of "" answered io \(A key of the batch is none\.\) instead of hit for key 2 of 2/,
  },
  'rejects for what is no key': {
    make: broken((right) => ({
      async has(keys, signal) {
        const results = await right.has(keys, signal);
        if (results.some((result) => 'error' in result && result.error.kind === 'io'))
          throw new Error('bad key');
        return results;
      },
    })),
    groups: ['keys'],
    says: /has rejected, which no call may: Error: bad key/,
  },
  'says that it left a value alone which it replaced': {
    make: broken((right) => ({
      async write(writes, signal) {
        const before = await right.has(
          writes.map(({ key }) => key),
          signal,
        );
        const results = await right.write(writes, signal);
        return results.map((result, i) =>
          result.status === 'stored' && before[i]!.status === 'hit' ? { status: 'exists' } : result,
        );
      },
    })),
    groups: ['overwrite'],
    says: /the value after the second was exists is wrong/,
  },
  'writes a value bit by bit': {
    make: broken((right) => ({
      async write(writes, signal) {
        const results = [];
        for (const write of writes) results.push(await inTwoSteps(right, write, signal));
        return results;
      },
    })),
    groups: ['concurrency', 'abort'],
    says: /the value that was read meanwhile|a value of \d+ bytes was read, and none such written/,
  },
  'leaves out a key between two portions': {
    make: broken((right) => ({
      async list(cursor, signal) {
        const { keys, next } = await right.list!(cursor, signal);
        return { keys: cursor === undefined ? keys : keys.slice(1), next };
      },
    })),
    groups: ['list', 'clear'],
    says: /the list leaves out \d of 255 keys/,
  },
  'loses its place in a list when keys are removed': {
    make: broken((right) => ({
      async list(cursor, signal) {
        const listing = await right.list!(undefined, signal);
        return listing.keys.length === 0 ? listing : byPlace(right, cursor);
      },
    })),
    groups: ['list', 'clear'],
    says: /the list leaves out/,
  },
  'removes the keys that end alike': {
    make: broken((right) => ({
      async remove(keys, signal) {
        const results = await right.remove(keys, signal);
        const all = await listAll(right).catch(() => []);
        const alike = all.filter((key) => keys.some((each) => each.length > 5 && key.endsWith(each)));
        if (alike.length > 0) await right.remove(alike, signal);
        return results;
      },
    })),
    groups: ['clear'],
    says: /the list leaves out/,
  },
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

async function inTwoSteps(right: StorageDriver, { key, parts }: Write, signal: AbortSignal) {
  if (totalBytes(parts) > 1e6) return (await right.write([{ key, parts }], signal))[0]!;
  const value = Buffer.concat(parts);
  const [first] = await right.write([{ key, parts: [value.subarray(0, value.length / 2)] }], signal);
  if (first?.status === 'error') return first;
  await nextTurn();
  const [second] = await right.write([{ key, parts: [value] }], signal);
  return second!;
}
