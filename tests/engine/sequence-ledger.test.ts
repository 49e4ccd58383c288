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

  it('always holds as many positions as its sequences together', () => {
    const sequence = fc.nat({ max: 3 });
    const step = fc.oneof(
      fc.record({ do: fc.constant('extend' as const), sequence, count: fc.nat({ max: 5 }) }),
      fc.record({
        do: fc.constant('truncate' as const),
        sequence,
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      fc.record({ do: fc.constantFrom('commit' as const, 'rollback' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const ledger = new SequenceLedger(4);
        const held = [0, 0, 0, 0];
        let next = [...held];
        for (const step of steps) {
          if (step.do === 'extend') {
            for (let i = 0; i < step.count; i++) ledger.extend(step.sequence, next[step.sequence]!++);
          } else if (step.do === 'truncate') {
            const length = Math.floor(held[step.sequence]! * step.share);
            ledger.truncate(step.sequence, length);
            held[step.sequence] = next[step.sequence] = length;
          } else if (step.do === 'commit') {
            ledger.commit();
            held.splice(0, 4, ...next);
          } else {
            ledger.rollback();
            next = [...held];
          }
          expect(held.map((_, i) => ledger.length(i))).toEqual(held);
          expect(ledger.used).toBe(held.reduce((sum, length) => sum + length));
        }
      }),
    );
  });
});
