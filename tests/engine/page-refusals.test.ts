import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type KvShape, PageLayout, readShape } from '../../src/engine/llama/page-layout.ts';
import { LlamaPages, type PageHost } from '../../src/engine/llama/pages.ts';
import { SequenceLedger } from '../../src/engine/sequence-ledger.ts';
import {
  compute,
  continuation,
  empty,
  pagesOf,
  savePages,
  tokens,
  useModel,
} from '../support/tiny-engine.ts';

const CELLS = 256;
const tiny = useModel('tiny', { cells: CELLS });
const PROMPT = tokens(96);
let saved: Uint8Array[];
beforeAll(async () => {
  await compute(tiny.engine, 0, PROMPT);
  saved = savePages(tiny.engine, 0, 0, 6);
  empty(tiny.engine);
});
afterEach(() => empty(tiny.engine));

/** A page with 32 bits of it changed. */
function damaged(page: Uint8Array, at: number, value: number): Uint8Array {
  const copy = page.slice();
  new DataView(copy.buffer).setUint32(at, value, true);
  return copy;
}

describe('a page is rejected, and nothing changes,', () => {
  /** Where the cells end: sixteen of them. */
  const DATA = 16 + 12 * 16;
  const cases: [string, (page: Uint8Array) => Uint8Array][] = [
    ['when it is cut off', (page) => page.slice(0, -1)],
    ['when it is empty', () => new Uint8Array(0)],
    ['when it is too long', (page) => Buffer.concat([page, Buffer.alloc(1)])],
    ['with another magic', (page) => damaged(page, 0, 0xaf143cd9)],
    ['with another sequence', (page) => damaged(page, 4, 3)],
    ['with more streams', (page) => damaged(page, 8, 2)],
    ['with fewer cells', (page) => damaged(page, 12, 15)],
    ['with very many cells', (page) => damaged(page, 12, 0xffffffff)],
    ['with no cells', (page) => damaged(page, 12, 0)],
    ['with another first position', (page) => damaged(page, 16, 1)],
    ['with a negative position', (page) => damaged(page, 16 + 12 * 3, -1)],
    ['with a position twice', (page) => damaged(page, 16 + 12 * 15, 14)],
    ['with a cell of several sequences', (page) => damaged(page, 20, 2)],
    ['with a cell of another sequence', (page) => damaged(page, 24, 1)],
    ['with V transposed', (page) => damaged(page, DATA, 1)],
    ['with another number of layers', (page) => damaged(page, DATA + 4, 99)],
    ['with another type', (page) => damaged(page, DATA + 8, 8)],
    ['with rows of another size', (page) => damaged(page, DATA + 12, 64)],
    ['with rows of a huge size', (page) => damaged(page, DATA + 16, 1)],
  ];
  it.for(cases)('%s', async ([, damage]) => {
    const { engine } = tiny;
    await compute(engine, 1, tokens(5));
    const page = damage(saved[0]!);
    expect(pagesOf(engine).restore(0, 0, [page])).toBe('rejected');
    expect([engine.sequenceLength(0), engine.cellsInUse]).toEqual([0, 5]);
  });

  it('at another position than its own, also among others', () => {
    const { engine } = tiny;
    expect(pagesOf(engine).restore(0, 0, saved.slice(1))).toBe('rejected');
    expect(pagesOf(engine).restore(0, 0, [saved[0]!, saved[2]!])).toBe('rejected');
    expect(pagesOf(engine).restore(0, 0, [saved[0]!, saved[1]!, saved[1]!])).toBe('rejected');
    expect([engine.sequenceLength(0), engine.cellsInUse]).toEqual([0, 0]);
    expect(pagesOf(engine).restore(0, 0, saved)).toBe('done');
  });

  it('when a part of it is asked for, too', async () => {
    const { engine } = tiny;
    const pages = pagesOf(engine);
    await compute(engine, 0, PROMPT.subarray(0, 20));
    expect(pages.restorePart(0, 20, 25, saved[0]!, 16)).toBe('rejected');
    for (const [from, to, start] of [
      [21, 25, 16],
      [20, 20, 16],
      [20, 33, 16],
      [20, 24, 21],
    ] as const)
      expect(() => pages.restorePart(0, from, to, saved[1]!, start)).toThrow(RangeError);
    expect([engine.sequenceLength(0), engine.cellsInUse]).toEqual([20, 20]);
    await compute(engine, 1, tokens(100));
    await compute(engine, 1, tokens(CELLS - 20 - 15 - 100));
    // The whole page has no room for a moment.
    expect(pages.restorePart(0, 20, 25, saved[1]!, 16)).toBe('no-room');
    engine.truncateSequence(1, CELLS - 20 - 16);
    expect(pages.restorePart(0, 20, 25, saved[1]!, 16)).toBe('done');
    expect([engine.sequenceLength(0), engine.cellsInUse]).toEqual([25, CELLS - 16 + 5]);
  });

  it('in a block in its middle', () => {
    const { engine } = tiny;
    const rowBytes = new DataView(saved[0]!.buffer).getUint32(DATA + 12, true);
    const second = DATA + 8 + 12 + 16 * rowBytes;
    expect(pagesOf(engine).restore(0, 0, [damaged(saved[0]!, second, 8)])).toBe('rejected');
    expect(pagesOf(engine).restore(0, 0, [damaged(saved[0]!, second + 4, rowBytes + 1)])).toBe('rejected');
    expect(pagesOf(engine).restore(0, 0, [damaged(saved[0]!, second + 12, 0)])).toBe('done');
  });
});

describe('pages', () => {
  it('find no room when the free cells do not suffice, and nothing changes', async () => {
    const { engine } = tiny;
    await compute(engine, 0, tokens(100, 2));
    await compute(engine, 0, tokens(61, 3));
    expect(pagesOf(engine).restore(1, 0, saved)).toBe('no-room');
    expect([engine.sequenceLength(1), engine.cellsInUse]).toEqual([0, 161]);
    // A shared cell is no free one, and taken once.
    engine.sharePrefix(0, 2, 161);
    expect(pagesOf(engine).restore(1, 0, saved)).toBe('no-room');
    engine.truncateSequence(0, 0);
    expect(pagesOf(engine).restore(1, 0, saved)).toBe('no-room');
    engine.truncateSequence(2, 160);
    expect(pagesOf(engine).restore(1, 0, saved)).toBe('done');
    expect([engine.sequenceLength(1), engine.cellsInUse]).toEqual([96, CELLS]);
    expect(savePages(engine, 1, 0, 6)).toEqual(saved);
    engine.batch.clear();
    engine.batch.add(1, 96, 1, false);
    expect(await engine.decode()).toBe('no-room');
  });

  it('that are none change nothing', () => {
    const { engine } = tiny;
    expect(pagesOf(engine).restore(0, 0, [])).toBe('done');
    pagesOf(engine).save(0, 0, []);
    expect(engine.cellsInUse).toBe(0);
  });

  it('cannot be saved where there is nothing, nor into buffers of another size', async () => {
    const { engine } = tiny;
    await compute(engine, 0, PROMPT);
    for (const from of [81, 96, 1e9, -1, 0.5, Number.NaN])
      expect(() => savePages(engine, 0, from, 1), String(from)).toThrow(RangeError);
    expect(() => savePages(engine, 0, 16, 6)).toThrow('holds 96 positions, not 112');
    expect(() => savePages(engine, 4, 0, 1)).toThrow('no sequence 4');
    for (const length of [0, pagesOf(engine).bytes - 1, pagesOf(engine).bytes + 1]) {
      const into = [new Uint8Array(pagesOf(engine).bytes), new Uint8Array(length)];
      expect(() => pagesOf(engine).save(0, 0, into)).toThrow(`not ${length}`);
      expect(into[0]?.every((byte) => byte === 0)).toBe(true);
    }
  });

  it('can only be put at the end of a sequence', async () => {
    const { engine } = tiny;
    await compute(engine, 0, PROMPT.subarray(0, 20));
    for (const from of [0, 16, 32, -1]) {
      expect(() => pagesOf(engine).restore(0, from, saved.slice(1))).toThrow('holds 20 positions');
    }
    expect(() => pagesOf(engine).restore(4, 0, saved)).toThrow('no sequence 4');
    expect([engine.sequenceLength(0), engine.cellsInUse]).toEqual([20, 20]);
  });

  it('leave a batch that was being filled an old one', async () => {
    const { engine } = tiny;
    engine.batch.clear();
    engine.batch.add(1, 0, 0, true);
    expect(pagesOf(engine).restore(0, 0, saved)).toBe('done');
    await expect(engine.decode()).rejects.toThrow('old one');
    await continuation(engine, 0, 1, 1);
    expect(engine.sequenceLength(0)).toBe(97);
  });
});

describe('a library that fails in the middle', () => {
  const shape: KvShape = { layers: 1, blocks: [{ type: 1, rowBytes: 4 }] };
  const layout = new PageLayout(shape, 2, '');
  const host = (fails: Partial<PageHost['llama']>) => {
    const calls: string[] = [];
    const note =
      <T>(name: string, result: T) =>
      (...args: unknown[]): T => {
        calls.push(`${name} ${args.filter((arg) => typeof arg === 'number').join(' ')}`);
        return result;
      };
    const llama: PageHost['llama'] = {
      llama_memory_seq_cp: note('cp', undefined),
      llama_memory_seq_rm: note('rm', true),
      llama_state_seq_get_data: note('get', layout.bytes),
      llama_state_seq_set_data: note('set', layout.bytes),
      ...fails,
    };
    const ledger = new SequenceLedger(2);
    const ids = { context: 0n, memory: 0n, cells: 100, scratch: 2, assertIdle: () => undefined };
    return { calls, ledger, pages: new LlamaPages({ llama, ledger, ...ids }, layout) };
  };
  const page = (from: number) => {
    const bytes = new Uint8Array(layout.bytes);
    const view = new DataView(bytes.buffer);
    for (const [cell, position] of [from, from + 1].entries()) view.setInt32(16 + 12 * cell, position, true);
    const written = bytes.slice();
    layout.normalise(written, from);
    view.setInt32(48, 1, true);
    written.set(bytes.subarray(48, 52), 48);
    new DataView(written.buffer).setUint32(52, 4, true);
    return written;
  };

  it('has the pages that it took taken out again', () => {
    let left = 2;
    const { calls, ledger, pages } = host({
      llama_state_seq_set_data: () => (left-- > 0 ? layout.bytes : 0),
    });
    ledger.append(1, 3);
    expect(() => pages.restore(1, 3, [3, 5, 7].map(page))).toThrow(
      expect.objectContaining({ code: 'engine_failed', message: expect.stringContaining('0 were taken') }),
    );
    expect(calls).toEqual(['cp 2 1 3 5', 'cp 2 1 5 7', 'rm 1 3 -1', 'rm 2 -1 -1']);
    expect([ledger.length(1), ledger.used]).toEqual([3, 3]);
  });

  it('leaves nothing in the scratch sequence when it cannot write', () => {
    const { calls, ledger, pages } = host({ llama_state_seq_get_data: () => 0 });
    ledger.append(0, 4);
    expect(() => pages.save(0, 2, [new Uint8Array(layout.bytes)])).toThrow('was written as 0');
    expect(calls).toEqual(['cp 0 2 2 4', 'rm 2 -1 -1']);
  });

  it('is not believed when it writes other positions', () => {
    const { ledger, pages } = host({});
    ledger.append(0, 4);
    // Nothing is written: both cells are at position 0.
    expect(() => pages.save(0, 0, [new Uint8Array(layout.bytes)])).toThrow('holds another one');
    expect(() => pages.save(0, 2, [new Uint8Array(layout.bytes)])).toThrow('holds another one');
  });
});

describe('the form of a state', () => {
  const state = (write: (view: DataView) => void) => {
    const bytes = new Uint8Array(16 + 12 + 8 + 2 * (12 + 4));
    const view = new DataView(bytes.buffer);
    for (const [at, value] of [
      [0, 0xaf143cd8],
      [8, 1],
      [12, 1],
      [20, 1],
      [32, 1],
      [36, 1],
      [40, 4],
      [52, 8],
      [56, 4],
    ] as const) {
      view.setUint32(at, value, true);
    }
    write(view);
    return bytes;
  };

  it('is read where it is rows of K and V', () => {
    expect(
      readShape(
        state(() => undefined),
        1,
      ),
    ).toEqual({
      layers: 1,
      blocks: [
        { type: 1, rowBytes: 4 },
        { type: 8, rowBytes: 4 },
      ],
    });
    // Latent attention has no V.
    expect(readShape(state(() => undefined).subarray(0, 52), 1)?.blocks).toHaveLength(1);
  });

  it('is not taken for rows where it is something else', () => {
    const changes: [number, number][] = [
      [0, 1],
      [8, 2],
      [12, 2],
      [28, 1],
      [32, 0],
      [32, 3],
      [40, 5],
      [44, 1],
    ];
    for (const [at, value] of changes) {
      expect(
        readShape(
          state((view) => view.setUint32(at, value, true)),
          1,
        ),
        String(at),
      ).toBeUndefined();
    }
    const whole = state(() => undefined);
    for (let length = 0; length < whole.length; length++) {
      if (length !== 52) expect(readShape(whole.subarray(0, length), 1), String(length)).toBeUndefined();
    }
    // Cells that carry more than a position and a sequence.
    expect(
      readShape(Buffer.concat([whole.subarray(0, 28), Buffer.alloc(12), whole.subarray(28)]), 1),
    ).toBeUndefined();
  });
});
