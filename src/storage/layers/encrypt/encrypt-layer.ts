import { setImmediate } from 'node:timers/promises';
import { failure } from '../../../shared/errors.ts';
import { slice } from '../../buffers.ts';
import type { Read, ReadResult, StorageLayer, Write } from '../../driver.ts';
import { failed } from '../../results.ts';
import { changedCapabilities } from '../changed-capabilities.ts';
import { passThrough } from '../pass-through.ts';
import { type KeyRing, type KeySource, loadKeys } from './key-ring.ts';
import { keyIdOf, SEAL_BYTES, seal, unseal, unsealBeginning } from './sealed-value.ts';

export interface EncryptOptions {
  /** The first one is the key that values are encrypted with; all of them decrypt. */
  keys: readonly KeySource[];
  /** Told of every value that was encrypted with a key that is not among them. It has been taken for a miss, and stays. */
  onUnknownKey(key: string): void;
}

/** Keys whose values cannot be decrypted here, at most; of what is forgotten the store may keep the old value. */
const MOST_FOREIGN = 65_536;

/**
 * Encrypts every value, with its name: what cannot be authenticated is an error of kind `corrupt`. A value of a key that
 * is not known here is a miss and stays, since another server may know the key, until this one has a value to put in its
 * place. Between two values everything else in this process has its turn.
 */
export function encryptLayer({ keys, onUnknownKey }: EncryptOptions): StorageLayer {
  return (driver) => {
    const base = passThrough(driver);
    /** What was read and could not be decrypted: it is removed before it is written. */
    const foreign = new Set<string>();
    let ring: KeyRing | undefined;

    function opened(read: Read, head: Buffer, result: ReadResult): ReadResult {
      const isTooLong = result.status === 'error' && result.error.kind === 'size';
      if (result.status !== 'hit' && !isTooLong) return result;
      if (result.status === 'hit' && result.bytes < SEAL_BYTES)
        return failed('corrupt', 'It is too short to be an encrypted value.');
      const id = keyIdOf(head);
      if (id === undefined) return failed('corrupt', 'It is no encrypted value.');
      const key = ring?.all.get(id);
      if (!key) {
        if (foreign.size < MOST_FOREIGN) foreign.add(read.key);
        onUnknownKey(read.key);
        return { status: 'miss' };
      }
      if (result.status !== 'hit') {
        unsealBeginning(key, head, read.key, read.into);
        return result;
      }
      const bytes = result.bytes - SEAL_BYTES;
      if (!unseal(key, head, read.key, slice(read.into, 0, bytes)))
        return failed('corrupt', 'It is not what was encrypted under this key.');
      read.filled?.(bytes);
      return { status: 'hit', bytes };
    }

    async function sealed({ current }: KeyRing, writes: readonly Write[]): Promise<Write[]> {
      const all: Write[] = [];
      for (const { key, parts } of writes) {
        all.push({ key, parts: seal(current, key, parts) });
        await setImmediate();
      }
      return all;
    }

    return {
      ...base,
      capabilities: changedCapabilities(base.capabilities, {
        largestValue: (bytes) => bytes - SEAL_BYTES,
      }),
      async open(signal) {
        try {
          ring = await loadKeys(keys, signal);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          throw failure('storage_failed', { backend: driver.name, reason }, { cause: error });
        }
        await base.open(signal);
      },
      async read(reads, signal) {
        const heads = reads.map(() => Buffer.alloc(SEAL_BYTES));
        const asked = reads.map(({ key, into }, i) => ({ key, into: [heads[i]!, ...into] }));
        const results = await base.read(asked, signal);
        const plain: ReadResult[] = [];
        for (const [i, result] of results.entries()) {
          plain.push(opened(reads[i]!, heads[i]!, result));
          if (result.status === 'hit') await setImmediate();
        }
        return plain;
      },
      async write(writes, signal) {
        // Not open: the driver says so.
        if (!ring) return base.write(writes, signal);
        const all = await sealed(ring, writes);
        const replaced = all.map(({ key }) => key).filter((key) => foreign.delete(key));
        // A store may leave alone what is there. Its answer changes nothing: the write says what becomes of it.
        if (replaced.length > 0) await base.remove(replaced, signal);
        return base.write(all, signal);
      },
      list:
        base.list &&
        (async (cursor, signal) => {
          const listing = await base.list!(cursor, signal);
          const bytes = listing.bytes?.map((stored) => Math.max(0, stored - SEAL_BYTES));
          return { ...listing, ...(bytes ? { bytes } : {}) };
        }),
    };
  };
}
