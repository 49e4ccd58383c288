import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteLength, LAYOUTS, type TensorType, toHalf } from '../../src/models/quantize.ts';
import { random } from '../../src/models/random.ts';

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

function encode(type: TensorType, row: Float32Array): DataView {
  const view = new DataView(new ArrayBuffer(byteLength(type, row.length)));
  LAYOUTS[type].encode(row, view, 0);
  return view;
}

function decodeQ8(view: DataView): number[] {
  return Array.from({ length: (view.byteLength / 34) * 32 }, (_, i) => {
    const block = Math.floor(i / 32) * 34;
    return fromHalf(view.getUint16(block, true)) * view.getInt8(block + 2 + (i % 32));
  });
}

function decodeQ4(view: DataView): number[] {
  return Array.from({ length: (view.byteLength / 18) * 32 }, (_, i) => {
    const block = Math.floor(i / 32) * 18;
    const byte = view.getUint8(block + 2 + (i % 16));
    return fromHalf(view.getUint16(block, true)) * ((i % 32 < 16 ? byte & 15 : byte >> 4) - 8);
  });
}

/** The largest absolute value of the block of 32 that holds value i. */
function blockLargest(row: Float32Array, i: number): number {
  const start = Math.floor(i / 32) * 32;
  return Math.max(...row.subarray(start, start + 32).map(Math.abs));
}

const draw = random('quantize test');
const row = Float32Array.from({ length: 512 }, (_, i) => (draw.bits() / 2 ** 31 - 1) * 1.7 ** ((i >> 5) - 8));

describe('half precision', () => {
  it('gives back each of the 65,536 halves', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = fromHalf(bits);
      if (!Number.isNaN(value)) expect(toHalf(bits === 0x8000 ? -0 : value)).toBe(bits);
    }
  });

  it('rounds to the nearest half, and ties to the even one', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: -65000, max: 65000 }), (value) => {
        const bits = toHalf(value);
        const error = Math.abs(fromHalf(bits) - value);
        for (const other of [bits - 1, bits + 1]) {
          if ((other & 0x7fff) > 0x7c00 || other < 0 || (bits & 0x7fff) === 0) continue;
          const distance = Math.abs(fromHalf(other) - value);
          expect(error).toBeLessThanOrEqual(distance);
          if (error === distance) expect(bits % 2).toBe(0);
        }
      }),
    );
  });

  it('keeps what is not a number and what is too large', () => {
    expect(toHalf(Number.NaN)).toBe(0x7e00);
    expect(toHalf(65519)).toBe(0x7bff);
    expect(toHalf(65520)).toBe(0x7c00);
    expect(toHalf(-1e30)).toBe(0xfc00);
  });
});

describe('blocks', () => {
  it('f32 is exact', () => {
    expect(new Float32Array(encode('f32', row).buffer)).toEqual(row);
  });

  it('f16 is within half a unit in the last place', () => {
    const view = encode('f16', row);
    row.forEach((value, i) => {
      const error = Math.abs(fromHalf(view.getUint16(2 * i, true)) - value);
      expect(error).toBeLessThanOrEqual(Math.abs(value) * 2 ** -11 + 2 ** -25);
    });
  });

  it('q8_0 is within half a step, and the rounding of its scale', () => {
    decodeQ8(encode('q8_0', row)).forEach((value, i) => {
      expect(Math.abs(value - row[i]!)).toBeLessThanOrEqual(blockLargest(row, i) * (0.5 / 127 + 2 ** -10));
    });
  });

  it('q4_0 is within half a step, or a whole one at the side where the nibbles end', () => {
    decodeQ4(encode('q4_0', row)).forEach((value, i) => {
      expect(Math.abs(value - row[i]!)).toBeLessThanOrEqual(blockLargest(row, i) * (1 / 8 + 2 ** -10));
    });
  });

  it('zeros stay zeros', () => {
    const zeros = new Float32Array(32);
    expect(decodeQ8(encode('q8_0', zeros)).every((value) => Math.abs(value) === 0)).toBe(true);
    expect(decodeQ4(encode('q4_0', zeros)).every((value) => Math.abs(value) === 0)).toBe(true);
  });

  it('a row has to be whole blocks', () => {
    expect(byteLength('q8_0', 64)).toBe(68);
    expect(() => byteLength('q4_0', 33)).toThrow('33 values are not whole blocks of 32 (q4_0)');
  });
});
