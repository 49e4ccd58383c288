import { failure } from '../../shared/errors.ts';
import type { PageAccess, PageMemory, RestoreOutcome } from '../engine.ts';
import { checkPart } from '../page-part.ts';
import type { SequenceLedger } from '../sequence-ledger.ts';
import type { Llama } from './functions.ts';
import type { PageLayout } from './page-layout.ts';
import type { Pointer } from './structs.ts';

/** What pages need of their engine. */
export interface PageHost {
  readonly llama: Pick<
    Llama,
    'llama_memory_seq_cp' | 'llama_memory_seq_rm' | 'llama_state_seq_get_data' | 'llama_state_seq_set_data'
  >;
  readonly context: Pointer;
  readonly memory: Pointer;
  readonly ledger: SequenceLedger;
  /** KV cells that sequences may hold together. */
  readonly cells: number;
  /** A sequence id of the library that no caller has, and that is empty between two calls. */
  readonly scratch: number;
  /** Throws while the engine decodes or when it is closed. */
  assertIdle(): void;
}

/**
 * Pages through llama.cpp's sequence state: a scratch sequence is given the cells of one page's positions, so that the
 * library writes exactly these into the caller's buffer, or reads them from it; nothing is copied twice. One call for
 * many pages would need their bytes joined layer by layer, which costs more than the calls that it saves.
 */
export class LlamaPages implements PageAccess {
  readonly tokens: number;
  readonly bytes: number;
  readonly format: string;
  readonly memory: PageMemory | undefined;
  readonly #host: PageHost;
  readonly #layout: PageLayout;

  constructor(host: PageHost, layout: PageLayout, memory?: PageMemory) {
    this.#host = host;
    this.#layout = layout;
    this.memory = memory;
    this.tokens = layout.tokens;
    this.bytes = layout.bytes;
    this.format = layout.format;
  }

  save(sequence: number, from: number, into: readonly Uint8Array[]): void {
    const { llama, context, memory, ledger, scratch } = this.#host;
    this.#host.assertIdle();
    checkPosition(from);
    ledger.assertHolds(sequence, from + this.tokens * into.length);
    for (const page of into) {
      // A page that is too short would have the library write beyond it.
      if (page.length !== this.bytes)
        throw new RangeError(`A page has ${this.bytes} bytes, not ${page.length}.`);
    }
    for (const [i, page] of into.entries()) {
      const start = from + i * this.tokens;
      llama.llama_memory_seq_cp(memory, sequence, scratch, start, start + this.tokens);
      const written = llama.llama_state_seq_get_data(context, page, this.bytes, scratch);
      llama.llama_memory_seq_rm(memory, scratch, -1, -1);
      if (written !== this.bytes)
        throw failure('engine_failed', { reason: `a page of ${this.bytes} bytes was written as ${written}` });
      this.#layout.normalise(page, start);
    }
  }

  accepts(page: Uint8Array, position: number): boolean {
    return this.#layout.accepts(page, position);
  }

  restore(sequence: number, from: number, pages: readonly Uint8Array[]): RestoreOutcome {
    const { ledger, cells } = this.#host;
    this.#host.assertIdle();
    const held = ledger.length(sequence);
    if (held !== from) throw new RangeError(`Sequence ${sequence} holds ${held} positions, not ${from}.`);
    if (!pages.every((page, i) => this.accepts(page, from + i * this.tokens))) return 'rejected';
    const count = this.tokens * pages.length;
    if (ledger.used + count > cells) return 'no-room';
    this.#read(sequence, from, pages);
    ledger.append(sequence, count);
    return 'done';
  }

  restorePart(sequence: number, from: number, to: number, page: Uint8Array, start: number): RestoreOutcome {
    const { llama, memory, ledger, cells, scratch } = this.#host;
    this.#host.assertIdle();
    checkPart(ledger.length(sequence), from, to, start, this.tokens);
    if (!this.accepts(page, start)) return 'rejected';
    if (ledger.used + this.tokens > cells) return 'no-room';
    try {
      this.#readToScratch(page);
      llama.llama_memory_seq_cp(memory, scratch, sequence, from, to);
    } finally {
      llama.llama_memory_seq_rm(memory, scratch, -1, -1);
    }
    ledger.append(sequence, to - from);
    return 'done';
  }

  #read(sequence: number, from: number, pages: readonly Uint8Array[]): void {
    const { llama, memory, scratch } = this.#host;
    try {
      for (const [i, page] of pages.entries()) {
        const start = from + i * this.tokens;
        this.#readToScratch(page);
        llama.llama_memory_seq_cp(memory, scratch, sequence, start, start + this.tokens);
      }
    } catch (error) {
      llama.llama_memory_seq_rm(memory, sequence, from, -1);
      throw error;
    } finally {
      llama.llama_memory_seq_rm(memory, scratch, -1, -1);
    }
  }

  /** The library empties the sequence that it reads into: always the scratch one, whose last page is passed on by then. */
  #readToScratch(page: Uint8Array): void {
    const { llama, context, scratch } = this.#host;
    const read = llama.llama_state_seq_set_data(context, page, this.bytes, scratch);
    if (read !== this.bytes)
      throw failure('engine_failed', { reason: `of a page of ${this.bytes} bytes ${read} were taken` });
  }
}

/** The library takes a negative position for the sequence's beginning or end. */
function checkPosition(from: number): void {
  if (!Number.isInteger(from) || from < 0) throw new RangeError(`There is no position ${from}.`);
}
