import type { PageAccess, RestoreOutcome } from '../engine.ts';
import { checkPart } from '../page-part.ts';
import type { SequenceLedger } from '../sequence-ledger.ts';
import { EMPTY_PREFIX, extendPrefix } from './prefix-function.ts';

const MAGIC = 0x9a6e51d0;
const HEAD_BYTES = 8;
/** Position, token, state. */
const POSITION_BYTES = 12;

/** What a sequence of a simulated engine holds: at every position a token, and the state of the prefix up to it. */
export interface SimulatedKv {
  tokens: number[];
  states: number[];
}

/** What pages need of their engine. */
interface PageHost {
  readonly ledger: SequenceLedger;
  readonly cells: number;
  readonly kv: readonly SimulatedKv[];
  assertIdle(): void;
}

/**
 * Pages of a simulated engine. What llama.cpp's pages can be checked for is checked in the same way; a page that is
 * well-formed but wrong, which would give wrong tokens there, throws here.
 */
export class SimulatedPages implements PageAccess {
  readonly tokens: number;
  readonly bytes: number;
  readonly format: string;
  readonly memory = undefined;
  /** Pages that were saved and restored so far. */
  saved = 0;
  restored = 0;
  readonly #host: PageHost;

  constructor(host: PageHost, tokens: number) {
    this.#host = host;
    this.tokens = tokens;
    this.bytes = HEAD_BYTES + POSITION_BYTES * tokens;
    this.format = `simulated-1; ${tokens} tokens`;
  }

  save(sequence: number, from: number, into: readonly Uint8Array[]): void {
    this.#host.assertIdle();
    if (!Number.isInteger(from) || from < 0) throw new RangeError(`There is no position ${from}.`);
    this.#host.ledger.assertHolds(sequence, from + this.tokens * into.length);
    for (const page of into) {
      if (page.length !== this.bytes)
        throw new RangeError(`A page has ${this.bytes} bytes, not ${page.length}.`);
    }
    const { tokens, states } = this.#host.kv[sequence]!;
    for (const [i, page] of into.entries()) {
      const view = viewOf(page);
      view.setUint32(0, MAGIC);
      view.setUint32(4, this.tokens);
      for (let index = 0; index < this.tokens; index++) {
        const position = from + i * this.tokens + index;
        const fields = [position, tokens[position]!, states[position]!];
        for (const [j, field] of fields.entries()) view.setUint32(fieldAt(index) + 4 * j, field);
      }
    }
    this.saved += into.length;
  }

  restore(sequence: number, from: number, pages: readonly Uint8Array[]): RestoreOutcome {
    const { ledger, cells } = this.#host;
    this.#host.assertIdle();
    const held = ledger.length(sequence);
    if (held !== from) throw new RangeError(`Sequence ${sequence} holds ${held} positions, not ${from}.`);
    if (!pages.every((page, i) => this.accepts(page, from + i * this.tokens))) return 'rejected';
    const count = this.tokens * pages.length;
    if (ledger.used + count > cells) return 'no-room';

    this.#extend(
      sequence,
      pages.flatMap((page) => this.#positionsOf(page)),
    );
    ledger.append(sequence, count);
    this.restored += pages.length;
    return 'done';
  }

  restorePart(sequence: number, from: number, to: number, page: Uint8Array, start: number): RestoreOutcome {
    const { ledger, cells } = this.#host;
    this.#host.assertIdle();
    checkPart(ledger.length(sequence), from, to, start, this.tokens);
    if (!this.accepts(page, start)) return 'rejected';
    if (ledger.used + this.tokens > cells) return 'no-room';
    this.#extend(sequence, this.#positionsOf(page).slice(from - start, to - start));
    ledger.append(sequence, to - from);
    this.restored++;
    return 'done';
  }

  #positionsOf(page: Uint8Array): { token: number; state: number }[] {
    const view = viewOf(page);
    return Array.from({ length: this.tokens }, (_, index) => ({
      token: view.getUint32(fieldAt(index) + 4),
      state: view.getUint32(fieldAt(index) + 8),
    }));
  }

  #extend(sequence: number, positions: readonly { token: number; state: number }[]): void {
    const { tokens, states } = this.#host.kv[sequence]!;
    let before = states.at(-1) ?? EMPTY_PREFIX;
    for (const [i, { token, state }] of positions.entries()) {
      if (extendPrefix(before, token) !== state) {
        throw new Error(
          `A wrong page for sequence ${sequence}: position ${tokens.length + i} does not continue those before it.`,
        );
      }
      before = state;
    }
    for (const { token, state } of positions) {
      tokens.push(token);
      states.push(state);
    }
  }

  accepts(page: Uint8Array, from: number): boolean {
    if (page.length !== this.bytes) return false;
    const view = viewOf(page);
    if (view.getUint32(0) !== MAGIC || view.getUint32(4) !== this.tokens) return false;
    for (let index = 0; index < this.tokens; index++) {
      if (view.getUint32(fieldAt(index)) !== from + index) return false;
    }
    return true;
  }
}

function fieldAt(index: number): number {
  return HEAD_BYTES + POSITION_BYTES * index;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
