import { describe, expect, it } from 'vitest';
import { Rate, Worth } from '../../../src/controller/rates.ts';

function measured(tokens: number, milliseconds: number): Rate {
  const rate = new Rate();
  rate.measured(tokens, milliseconds);
  return rate;
}

describe('a rate', () => {
  it('is unknown before the first measurement', () => {
    expect(new Rate().value).toBeUndefined();
  });

  it('is tokens per millisecond, and turns to what was measured last', () => {
    const rate = measured(100, 10);
    expect(rate.value).toBe(10);
    for (let i = 0; i < 50; i++) rate.measured(100, 100);
    expect(rate.value).toBeCloseTo(1, 1);
  });

  it('gives large transfers more weight than small ones', () => {
    const rate = measured(10_000, 1000);
    rate.measured(1, 10);
    expect(rate.value).toBeGreaterThan(9);
  });
});

describe('whether a tier is worth asking', () => {
  it('is yes as long as either speed is unknown', () => {
    expect(new Worth(new Rate()).ask()).toBe(true);
    expect(new Worth(measured(1, 1)).ask()).toBe(true);
    const worth = new Worth(new Rate());
    worth.rate.measured(1, 1000);
    expect(worth.ask()).toBe(true);
  });

  it('is yes where it is faster than computing, and no where it is as fast', () => {
    const worth = new Worth(measured(1, 1));
    worth.rate.measured(2, 1);
    expect(worth.ask()).toBe(true);
    const equal = new Worth(measured(1, 1));
    equal.rate.measured(1, 1);
    expect(equal.ask()).toBe(false);
  });

  it('is tried again after some refusals', () => {
    const worth = new Worth(measured(100, 1));
    worth.rate.measured(1, 1);
    const answers = Array.from({ length: 96 }, () => worth.ask());
    expect(answers.filter(Boolean)).toHaveLength(3);
    expect(answers.indexOf(true)).toBe(31);
  });
});
