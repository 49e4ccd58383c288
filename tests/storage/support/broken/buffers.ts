import { scatter, totalBytes } from '../../../../src/storage/buffers.ts';
import { never } from '../calls.ts';
import { afterHits, type Broken, broken } from './making.ts';

/** Drivers that treat buffers as theirs. */
export const BROKEN_BUFFERS: Record<string, Broken> = {
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
};
