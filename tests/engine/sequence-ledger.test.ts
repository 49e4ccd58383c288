import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SequenceLedger } from '../../src/engine/sequence-ledger.ts';

describe('the ledger', () => {
  it('counts positions when their batch was computed', () => {
    const ledger = new SequenceLedger(2);
    ledger.extend(0, 0);
    ledger.extend(1, 0);
    ledger.extend(0, 1);
    expect([ledger.length(0), ledger.length(1), ledger.used]).toEqual([0, 0, 0]);
    expect([...ledger.extended()]).toEqual([0, 1]);
    ledger.commit();
    expect([ledger.length(0), ledger.length(1), ledger.used]).toEqual([2, 1, 3]);
    expect([...ledger.extended()]).toEqual([]);
  });

  it('tells which cells a sequence holds, the same ones where they are shared', () => {
    const ledger = new SequenceLedger(3);
    ledger.append(0, 3);
    ledger.share(0, 1, 2);
    ledger.append(1, 1);
    expect([...ledger.cells(1).subarray(0, 2)]).toEqual([...ledger.cells(0).subarray(0, 2)]);
    expect(new Set([...ledger.cells(0), ...ledger.cells(1)]).size).toBe(4);
    expect([...ledger.cells(2)]).toEqual([]);
    expect(() => ledger.cells(3)).toThrow('There is no sequence 3');
  });

  it('forgets positions whose batch was not computed', () => {
    const ledger = new SequenceLedger(1);
    ledger.extend(0, 0);
    ledger.rollback();
    expect(() => ledger.extend(0, 1)).toThrow('continues at position 0');
    ledger.extend(0, 0);
    ledger.commit();
    expect(ledger.used).toBe(1);
  });

  it('refuses a position that is not the next one', () => {
    const ledger = new SequenceLedger(1);
    for (const position of [-1, 1, 0.5, Number.NaN]) {
      expect(() => ledger.extend(0, position)).toThrow(RangeError);
    }
    ledger.extend(0, 0);
    expect(() => ledger.extend(0, 0)).toThrow('continues at position 1, not at 0');
  });

  it('refuses sequences that there are not', () => {
    const ledger = new SequenceLedger(3);
    for (const sequence of [-1, 3, 0.5, Number.NaN]) {
      expect(() => ledger.length(sequence)).toThrow(`There is no sequence ${sequence} (0 to 2).`);
      expect(() => ledger.extend(sequence, 0)).toThrow(RangeError);
      expect(() => ledger.truncate(sequence, 0)).toThrow(RangeError);
    }
  });

  it('refuses to cut a sequence where it has no end', () => {
    const ledger = new SequenceLedger(1);
    for (let position = 0; position < 5; position++) ledger.extend(0, position);
    ledger.commit();
    for (const length of [-1, 6, 2.5, Number.NaN]) {
      expect(() => ledger.truncate(0, length)).toThrow(RangeError);
      expect([ledger.length(0), ledger.used]).toEqual([5, 5]);
    }
  });

  it('counts a cell once that several sequences hold', () => {
    const ledger = new SequenceLedger(3);
    ledger.append(0, 10);
    ledger.share(0, 1, 8);
    ledger.share(1, 2, 4);
    expect([0, 1, 2].map((sequence) => ledger.length(sequence))).toEqual([10, 8, 4]);
    expect(ledger.used).toBe(10);
    ledger.truncate(0, 0);
    expect(ledger.used).toBe(8);
    ledger.truncate(1, 2);
    expect(ledger.used).toBe(4);
    ledger.truncate(2, 0);
    expect(ledger.used).toBe(2);
  });

  it('keeps what a sequence holds behind the positions that it is given', () => {
    const ledger = new SequenceLedger(2);
    ledger.append(0, 6);
    ledger.append(1, 10);
    expect(ledger.common(0, 1, 6)).toBe(0);
    ledger.share(0, 1, 4);
    expect([ledger.length(1), ledger.used]).toEqual([10, 12]);
    expect(ledger.common(0, 1, 6)).toBe(4);
    ledger.share(0, 1, 4);
    expect(ledger.used).toBe(12);
    ledger.extend(1, 10);
    ledger.commit();
    expect(ledger.used).toBe(13);
  });

  it('refuses to share what the source does not hold, and a sequence with itself', () => {
    const ledger = new SequenceLedger(2);
    ledger.append(0, 3);
    for (const length of [-1, 4, 1.5, Number.NaN]) {
      expect(() => ledger.share(0, 1, length)).toThrow(RangeError);
    }
    expect(() => ledger.share(0, 0, 1)).toThrow('with itself');
    expect(() => ledger.share(0, 2, 1)).toThrow('no sequence 2');
    expect([ledger.length(1), ledger.used]).toEqual([0, 3]);
  });

  it('does not count tokens of a sequence that was changed while the batch was filled', () => {
    for (const change of [
      (ledger: SequenceLedger) => ledger.truncate(1, 2),
      (ledger: SequenceLedger) => ledger.append(1, 1),
      (ledger: SequenceLedger) => ledger.share(0, 1, 2),
    ]) {
      const ledger = new SequenceLedger(2);
      ledger.append(0, 2);
      ledger.append(1, 2);
      for (const [sequence, position] of [
        [1, 2],
        [0, 2],
        [1, 3],
      ] as const) {
        ledger.extend(sequence, position);
      }
      expect(ledger.pending).toBe(3);
      change(ledger);
      expect([ledger.pending, ledger.extended()]).toEqual([1, [0]]);
      const held = ledger.length(1);
      ledger.commit();
      expect([ledger.length(0), ledger.length(1), ledger.pending]).toEqual([3, held, 0]);
    }
  });

  it('shares long sequences in far less time than a step takes', () => {
    const ledger = new SequenceLedger(256);
    ledger.append(0, 32_768);
    const times: number[] = [];
    for (let sequence = 1; sequence < 256; sequence++) {
      const start = performance.now();
      ledger.share(0, sequence, 32_768);
      times.push(performance.now() - start);
    }
    expect(ledger.used).toBe(32_768);
    expect(times.toSorted((a, b) => a - b)[128]).toBeLessThan(1);
  });

  it('agrees with sets of cells, whatever is done', () => {
    const sequence = fc.nat({ max: 3 });
    const part = fc.double({ min: 0, max: 1, noNaN: true });
    const step = fc.oneof(
      fc.record({ do: fc.constant('extend' as const), sequence, count: fc.nat({ max: 90 }) }),
      fc.record({ do: fc.constant('append' as const), sequence, count: fc.nat({ max: 9 }) }),
      fc.record({ do: fc.constant('truncate' as const), sequence, part }),
      fc.record({ do: fc.constant('share' as const), sequence, target: sequence, part }),
      fc.record({ do: fc.constantFrom('commit' as const, 'rollback' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const ledger = new SequenceLedger(4);
        let cells = 0;
        const held: number[][] = [[], [], [], []];
        const added = [0, 0, 0, 0];
        const grow = (sequence: number, count: number) => {
          for (let i = 0; i < count; i++) held[sequence]!.push(cells++);
        };
        for (const step of steps) {
          if (step.do === 'extend') {
            const { sequence, count } = step;
            const next = held[sequence]!.length + added[sequence]!;
            for (let i = 0; i < count; i++) ledger.extend(sequence, next + i);
            added[sequence]! += count;
          } else if (step.do === 'append') {
            ledger.append(step.sequence, step.count);
            grow(step.sequence, step.count);
            added[step.sequence] = 0;
          } else if (step.do === 'truncate') {
            const length = Math.floor(held[step.sequence]!.length * step.part);
            ledger.truncate(step.sequence, length);
            held[step.sequence]!.length = length;
            added[step.sequence] = 0;
          } else if (step.do === 'share') {
            const { sequence: source, target } = step;
            if (source === target) continue;
            const length = Math.floor(held[source]!.length * step.part);
            ledger.share(source, target, length);
            held[target]!.splice(0, length, ...held[source]!.slice(0, length));
            added[target] = 0;
            expect(ledger.common(source, target, length)).toBe(length);
          } else {
            ledger[step.do]();
            for (const [sequence, count] of added.entries()) if (step.do === 'commit') grow(sequence, count);
            added.fill(0);
          }
          expect(held.map((_, i) => ledger.length(i))).toEqual(held.map(({ length }) => length));
          expect(ledger.used).toBe(new Set(held.flat()).size);
          expect(ledger.pending).toBe(added.reduce((sum, count) => sum + count));
          expect(ledger.extended().toSorted()).toEqual([0, 1, 2, 3].filter((i) => added[i]! > 0));
        }
      }),
    );
  });
});
