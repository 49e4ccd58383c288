import { totalBytes } from '../../../../src/storage/buffers.ts';
import type { Failed, ReadResult } from '../../../../src/storage/driver.ts';
import { failed } from '../../../../src/storage/results.ts';
import { listAll } from '../calls.ts';
import { type Broken, broken, byPlace, inTwoSteps, ok, renamed, renamedValues } from './making.ts';

/** Drivers that answer what is not so. */
export const BROKEN_ANSWERS: Record<string, Broken> = {
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
    says: /the list leaves out \d of 257 keys/,
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
};
