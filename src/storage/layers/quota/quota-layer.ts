import { totalBytes } from '../../buffers.ts';
import type { Failed, StorageErrorKind, StorageLayer, Write, WriteResult } from '../../driver.ts';
import { changedCapabilities } from '../changed-capabilities.ts';
import { passThrough } from '../pass-through.ts';
import type { Entry } from './ledger.ts';
import { Quota, type QuotaOptions } from './quota.ts';

/** Failures after which a value is surely not there: after any other one it may be. */
const REFUSALS: ReadonlySet<StorageErrorKind> = new Set(['full', 'denied', 'size', 'closed', 'skipped']);

/**
 * Keeps the values of a store within a number of bytes: the least recently used ones go when room is needed, as far as
 * this process knows of uses. Writes wait until the store was counted once; reads never wait.
 */
export function quotaLayer(options: QuotaOptions): StorageLayer {
  return (driver) => {
    const base = passThrough(driver);
    const quota = new Quota(base, options);
    const { ledger } = quota;

    /** What is known of values when they are asked for: of what is being written, an answer says nothing. */
    const known = (keys: readonly string[]) =>
      keys.map((key) => (ledger.isWriting(key) ? undefined : ledger.get(key)));

    function noteAnswers(
      keys: readonly string[],
      asked: readonly (Entry | undefined)[],
      results: readonly { status: string; bytes?: number }[],
    ): void {
      for (const [i, key] of keys.entries()) {
        const { status, bytes } = results[i] ?? { status: 'error' };
        if (!quota.counts(key) || ledger.isWriting(key)) continue;
        if (status === 'miss' || status === 'removed') ledger.gone(key, asked[i]);
        else if (status === 'hit' && ledger.get(key)) ledger.used(key);
        // Another process wrote it.
        else if (status === 'hit' && bytes !== undefined) ledger.put(key, bytes);
      }
    }

    /** Takes note of what became of a write, once nothing of it is under way any more. */
    function noteWrite({ key, parts }: Write, result: WriteResult): void {
      const bytes = totalBytes(parts);
      const done = () => {
        if (result.status === 'error' && REFUSALS.has(result.error.kind))
          return ledger.notWritten(key, bytes);
        ledger.written(key, bytes, result.status === 'stored');
      };
      if (result.status === 'error' && result.settled) void result.settled.then(done);
      else done();
    }

    return {
      ...base,
      capabilities: changedCapabilities(base.capabilities, {
        largestValue: (bytes) => Math.min(bytes, options.bytes),
      }),
      async open(signal) {
        await base.open(signal);
        await quota.open(signal);
      },
      async close() {
        quota.close();
        await base.close();
      },
      async has(keys, signal) {
        const asked = known(keys);
        const results = await base.has(keys, signal);
        noteAnswers(keys, asked, results);
        return results;
      },
      async read(reads, signal) {
        const keys = reads.map(({ key }) => key);
        const asked = known(keys);
        const results = await base.read(reads, signal);
        noteAnswers(keys, asked, results);
        return results;
      },
      async write(writes, signal) {
        const counted: Write[] = [];
        const refused = new Map<Write, Failed>();
        for (const write of writes) {
          if (!quota.counts(write.key)) continue;
          const refusal = await quota.reserve(write.key, totalBytes(write.parts), signal);
          if (refusal) refused.set(write, refusal);
          else counted.push(write);
        }
        const asked = writes.filter((write) => !refused.has(write));
        const answers = new Map<Write, WriteResult>();
        for (const [i, result] of (await base.write(asked, signal)).entries()) answers.set(asked[i]!, result);
        for (const write of counted) noteWrite(write, answers.get(write)!);
        return writes.map((write) => refused.get(write) ?? answers.get(write)!);
      },
      async remove(keys, signal) {
        const asked = known(keys);
        const results = await base.remove(keys, signal);
        noteAnswers(keys, asked, results);
        return results;
      },
      usage: () => ({
        usedBytes: ledger.usedBytes,
        quotaBytes: options.bytes,
        stuckValues: quota.stuckValues,
      }),
    };
  };
}
