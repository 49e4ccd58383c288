import type { DeviceCells } from '../../src/cache/device-tier.ts';
import type { MovableCells } from '../../src/cache/swapping.ts';
import type { PageAccess } from '../../src/engine/engine.ts';
import { SequenceLedger } from '../../src/engine/sequence-ledger.ts';

/**
 * A device that counts cells exactly as an engine does and moves no bytes: what remains of a cache's cost on it is the
 * cache's own. A page takes one byte, so that L2 can be as large as one likes.
 */
export class CountedDevice implements DeviceCells, MovableCells {
  readonly limits: DeviceCells['limits'];
  readonly pages: PageAccess;
  readonly #ledger: SequenceLedger;

  constructor(cells: number, sequences: number, pageSize: number) {
    this.limits = { cells, sequences, batchTokens: 512, outputs: sequences };
    const ledger = new SequenceLedger(sequences);
    this.#ledger = ledger;
    this.pages = {
      tokens: pageSize,
      bytes: 1,
      format: 'counted',
      memory: undefined,
      save: () => undefined,
      accepts: () => true,
      restorePart: (sequence, from, to) => {
        ledger.append(sequence, to - from);
        return 'done';
      },
      restore: (sequence, _, pages) => {
        ledger.append(sequence, pages.length * pageSize);
        return 'done';
      },
    };
  }

  get cellsInUse(): number {
    return this.#ledger.used;
  }

  sequenceLength(sequence: number): number {
    return this.#ledger.length(sequence);
  }

  sequenceCells(sequence: number): Int32Array {
    return this.#ledger.cells(sequence);
  }

  truncateSequence(sequence: number, from: number): void {
    this.#ledger.truncate(sequence, from);
  }

  sharePrefix(source: number, target: number, length: number): void {
    this.#ledger.share(source, target, length);
  }

  /** What a decode does: the sequence is longer now. */
  compute(sequence: number, tokens: number): void {
    this.#ledger.append(sequence, tokens);
  }
}
