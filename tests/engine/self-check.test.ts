import { afterEach, expect, it, vi } from 'vitest';
import type { Llama } from '../../src/engine/llama/functions.ts';
import { compute, continuation, openEngine, tokens } from '../support/tiny-engine.ts';

const library = vi.hoisted(() => ({ change: (llama: Llama): Partial<Llama> => ({ ...llama }) }));
vi.mock(import('../../src/engine/llama/load.ts'), async (original) => {
  const load = await original();
  const loadLibrary: typeof load.loadLibrary = (location) => {
    const llama = load.loadLibrary(location);
    return { ...llama, ...library.change(llama) };
  };
  return { ...load, loadLibrary };
});
afterEach(() => {
  library.change = () => ({});
});

const refused = (reason: string) => ({ code: 'library_mismatch', message: expect.stringContaining(reason) });

it('a library that takes no state back is refused', async () => {
  library.change = () => ({ llama_state_seq_set_data: () => 0 });
  await expect(openEngine('tiny')).rejects.toMatchObject(refused('0 were taken'));
});

it('a library that writes another byte after restoring is refused', async () => {
  library.change = (llama) => {
    let restored = false;
    return {
      llama_state_seq_set_data: (...args) => {
        restored = true;
        return llama.llama_state_seq_set_data(...args);
      },
      llama_state_seq_get_data: (context, target, size, sequence) => {
        const written = llama.llama_state_seq_get_data(context, target, size, sequence);
        if (restored) target[written - 1]! ^= 1;
        return written;
      },
    };
  };
  await expect(openEngine('tiny')).rejects.toMatchObject(refused('pages changed'));
});

it('a library that shares too little is refused', async () => {
  for (const sequences of [1, 4]) {
    library.change = (llama) => ({
      llama_memory_seq_cp: (memory, source, target, from, to) =>
        llama.llama_memory_seq_cp(memory, source, target, from, to - 1),
    });
    await expect(openEngine('tiny', { sequences })).rejects.toMatchObject(refused('was written as'));
  }
});

it('a library that restores something else is refused', async () => {
  library.change = (llama) => {
    // It gives back what it was given, and keeps nothing of it in the cells.
    let last: Uint8Array | undefined;
    let at = 0;
    const pages: Uint8Array[] = [];
    return {
      llama_state_seq_set_data: (context, source, size, sequence) => {
        pages.push(source.slice());
        last = source.slice();
        last.fill(0, -100);
        return llama.llama_state_seq_set_data(context, last, size, sequence);
      },
      llama_state_seq_get_data: (context, target, size, sequence) => {
        const written = llama.llama_state_seq_get_data(context, target, size, sequence);
        if (last) target.set(pages[at++]!);
        return written;
      },
    };
  };
  await expect(openEngine('tiny')).rejects.toMatchObject(refused('other logits'));
});

it('a model whose state is of another form is served without pages', async () => {
  library.change = (llama) => ({
    llama_state_seq_get_data: (...args) => llama.llama_state_seq_get_data(...args) - 1,
  });
  const engine = await openEngine('tiny');
  const reason = 'its state has a form of its own';
  expect(engine.model.paging).toEqual({ supported: false, reason });
  expect(engine.pages).toBeUndefined();
  expect(() => engine.sharePrefix(0, 1, 0)).toThrow(reason);
  await compute(engine, 0, tokens(30));
  expect(await continuation(engine, 0, 1)).toHaveLength(8);
  await engine.close();
});

it('an engine is empty after the check, whatever its limits', async () => {
  for (const limits of [
    { sequences: 1 },
    { cells: 2, batchTokens: 1 },
    { cells: 1, sequences: 1 },
    { cells: 5, batchTokens: 3, sequences: 2 },
  ]) {
    const engine = await openEngine('tiny', limits);
    expect(engine.pages).toBeDefined();
    expect([engine.cellsInUse, engine.sequenceLength(0), engine.batch.size]).toEqual([0, 0, 0]);
    await engine.close();
  }
});

it('more sequences than the library has are refused, counting the one for pages', async () => {
  const expected = { code: 'bad_option', message: expect.stringContaining('257 sequences') };
  await expect(openEngine('tiny', { sequences: 256 })).rejects.toMatchObject(expected);
  const engine = await openEngine('tiny', { sequences: 255, outputs: 2 });
  await compute(engine, 254, tokens(10));
  engine.sharePrefix(254, 3, 5);
  expect(engine.cellsInUse).toBe(10);
  await engine.close();
  const recurrent = await openEngine('recurrent', { sequences: 256 });
  expect(recurrent.limits).toMatchObject({ sequences: 256, outputs: 256 });
  await recurrent.close();
});
