/** First word of a sequence's state (`io_magic` in llama-context.cpp). */
const MAGIC = 0xaf143cd8;
/** LLAMA_STATE_SEQ_VERSION in llama.h of this version. */
const STATE_VERSION = 3;
/** Magic, sequence, streams, cells. */
const FIXED_BYTES = 16;
/** Position, number of sequences, sequence. */
const CELL_BYTES = 12;
/** Whether V is transposed, number of layers. */
const DATA_HEAD_BYTES = 8;
/** Type, bytes of a row (64 bits). */
const BLOCK_HEAD_BYTES = 12;

/** K or V of one layer: one row per position. */
export interface KvBlock {
  /** A ggml_type. */
  type: number;
  rowBytes: number;
}

/** What the state of this model's sequences consists of. */
export interface KvShape {
  /** K of every layer, then V of every layer; models with latent attention have no V. */
  blocks: KvBlock[];
  layers: number;
}

/**
 * Reads the shape out of the state of a sequence of `cells` positions. Undefined when the state is anything but rows
 * of plain KV: other kinds of memory add sections of their own, which are not cut into pages.
 */
export function readShape(state: Uint8Array, cells: number): KvShape | undefined {
  const view = viewOf(state);
  const dataHead = FIXED_BYTES + CELL_BYTES * cells;
  if (state.length < dataHead + DATA_HEAD_BYTES) return undefined;
  const head = [view.getUint32(0, true), view.getUint32(8, true), view.getUint32(12, true)];
  if (head[0] !== MAGIC || head[1] !== 1 || head[2] !== cells) return undefined;
  const [transposed, layers] = [view.getUint32(dataHead, true), view.getUint32(dataHead + 4, true)];
  if (transposed !== 0 || layers === 0) return undefined;
  const blocks: KvBlock[] = [];
  let at = dataHead + DATA_HEAD_BYTES;
  while (at + BLOCK_HEAD_BYTES <= state.length) {
    const rowBytes = Number(view.getBigUint64(at + 4, true));
    blocks.push({ type: view.getInt32(at, true), rowBytes });
    at += BLOCK_HEAD_BYTES + rowBytes * cells;
  }
  const complete = blocks.length === layers || blocks.length === 2 * layers;
  return at === state.length && complete ? { blocks, layers } : undefined;
}

/**
 * The bytes of a page: the state that llama.cpp writes for a sequence of so many positions (`state_write_meta` and
 * `state_write_data` in llama-kv-cache.cpp), little-endian and without padding, in one canonical form: cells in order
 * of position, and sequence 0 in every field that names one. The library reads these fields and ignores them.
 */
export class PageLayout {
  readonly tokens: number;
  readonly bytes: number;
  readonly format: string;
  readonly #blocks: (KvBlock & { offset: number })[];
  /** All before the first block. Only the positions differ between two pages. */
  readonly #head: Uint8Array;
  readonly #headView: DataView;
  /** The rows of one block while they are put in order. */
  #rows: Uint8Array | undefined;

  /** @param variant what changes the values of the rows without changing their form */
  constructor(shape: KvShape, tokens: number, variant: string) {
    this.tokens = tokens;
    const dataHead = FIXED_BYTES + CELL_BYTES * tokens;
    let at = dataHead + DATA_HEAD_BYTES;
    this.#head = new Uint8Array(at);
    this.#headView = viewOf(this.#head);
    const fields = [MAGIC, 0, 1, tokens];
    for (const [i, field] of fields.entries()) this.#headView.setUint32(4 * i, field, true);
    for (let cell = 0; cell < tokens; cell++) this.#headView.setUint32(positionAt(cell) + 4, 1, true);
    this.#headView.setUint32(dataHead + 4, shape.layers, true);
    this.#blocks = shape.blocks.map((block) => {
      const offset = at + BLOCK_HEAD_BYTES;
      at = offset + block.rowBytes * tokens;
      return { ...block, offset };
    });
    this.bytes = at;
    const kv = `${shape.layers} layers, ${describe(shape.blocks)}`;
    this.format = `llama-seq-${STATE_VERSION}; ${tokens} tokens; ${kv}${variant && `; ${variant}`}`;
  }

  /**
   * Whether these bytes are a page of the positions from `from` on. llama.cpp checks little of this: it takes holes,
   * repeated and negative positions, and reserves memory for as many cells as a page claims to have.
   */
  accepts(page: Uint8Array, from: number): boolean {
    if (page.length !== this.bytes) return false;
    const head = this.#headFor(from);
    if (Buffer.compare(page.subarray(0, head.length), head) !== 0) return false;
    const view = viewOf(page);
    for (const { type, rowBytes, offset } of this.#blocks) {
      const at = offset - BLOCK_HEAD_BYTES;
      if (view.getInt32(at, true) !== type) return false;
      if (view.getUint32(at + 4, true) !== rowBytes || view.getUint32(at + 8, true) !== 0) return false;
    }
    return true;
  }

  /**
   * Brings a state that the library wrote into the canonical form. Throws when it is not a state of the positions
   * from `from` on.
   */
  normalise(page: Uint8Array, from: number): void {
    const view = viewOf(page);
    let inOrder = true;
    for (let cell = 0; cell < this.tokens && inOrder; cell++) {
      inOrder = view.getInt32(positionAt(cell), true) === from + cell;
    }
    // The library goes through the cells by their number. They are out of order where it filled holes.
    if (!inOrder) this.#sort(page, this.#order(view, from));
    page.set(this.#headFor(from));
  }

  /** For each cell of a state, which of the page's positions it is. */
  #order(view: DataView, from: number): Int32Array {
    const order = new Int32Array(this.tokens);
    const seen = new Uint8Array(this.tokens);
    for (let cell = 0; cell < this.tokens; cell++) {
      const index = view.getInt32(positionAt(cell), true) - from;
      if (seen[index] !== 0) throw new Error(`A state of the positions from ${from} on holds another one.`);
      seen[index] = 1;
      order[cell] = index;
    }
    return order;
  }

  #sort(page: Uint8Array, order: Int32Array): void {
    this.#rows ??= new Uint8Array(this.tokens * Math.max(...this.#blocks.map(({ rowBytes }) => rowBytes)));
    const rows = this.#rows;
    for (const { rowBytes, offset } of this.#blocks) {
      rows.set(page.subarray(offset, offset + rowBytes * this.tokens));
      for (let cell = 0; cell < this.tokens; cell++) {
        const row = rows.subarray(cell * rowBytes, (cell + 1) * rowBytes);
        page.set(row, offset + order[cell]! * rowBytes);
      }
    }
  }

  #headFor(from: number): Uint8Array {
    for (let cell = 0; cell < this.tokens; cell++) {
      this.#headView.setInt32(positionAt(cell), from + cell, true);
    }
    return this.#head;
  }
}

function positionAt(cell: number): number {
  return FIXED_BYTES + CELL_BYTES * cell;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Such as `24 × type 1 of 1024 bytes`: neighbours that are alike are counted. */
function describe(blocks: KvBlock[]): string {
  const runs: { count: number; name: string }[] = [];
  for (const { type, rowBytes } of blocks) {
    const name = `type ${type} of ${rowBytes} bytes`;
    const last = runs.at(-1);
    if (last?.name === name) last.count++;
    else runs.push({ count: 1, name });
  }
  return runs.map(({ count, name }) => `${count} × ${name}`).join(', ');
}
