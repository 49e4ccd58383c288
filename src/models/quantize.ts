/** The tensor types that can be written. Their blocks are as in ggml's `ggml-common.h`. */
export type TensorType = 'f32' | 'f16' | 'q8_0' | 'q4_0';

interface Layout {
  /** The id in a GGUF file (`enum ggml_type`). */
  readonly id: number;
  /** Values in a block; a row is a whole number of blocks. */
  readonly values: number;
  /** Bytes in a block. */
  readonly bytes: number;
  readonly encode: (row: Float32Array, out: DataView, offset: number) => void;
}

export const LAYOUTS: Readonly<Record<TensorType, Layout>> = {
  f32: { id: 0, values: 1, bytes: 4, encode: encodeF32 },
  f16: { id: 1, values: 1, bytes: 2, encode: encodeF16 },
  q8_0: { id: 8, values: 32, bytes: 34, encode: encodeQ8 },
  q4_0: { id: 2, values: 32, bytes: 18, encode: encodeQ4 },
};

/** Bytes of `values` values in a type; throws when they are not whole blocks. */
export function byteLength(type: TensorType, values: number): number {
  const layout = LAYOUTS[type];
  if (values % layout.values !== 0) {
    throw new RangeError(`${values} values are not whole blocks of ${layout.values} (${type})`);
  }
  return (values / layout.values) * layout.bytes;
}

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** The IEEE 754 binary16 bits nearest to a number, ties to even; too large a number becomes infinite. */
export function toHalf(value: number): number {
  float[0] = value;
  const bits = word[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // Normal: rebias the exponent from 127 to 15 and round away 13 bits of the mantissa.
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return sign;
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const half = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const middle = 1 << (shift - 1);
  return sign | (half + (rest > middle || (rest === middle && (half & 1) === 1) ? 1 : 0));
}

function encodeF32(row: Float32Array, out: DataView, offset: number): void {
  for (let i = 0; i < row.length; i++) out.setFloat32(offset + 4 * i, row[i]!, true);
}

function encodeF16(row: Float32Array, out: DataView, offset: number): void {
  for (let i = 0; i < row.length; i++) out.setUint16(offset + 2 * i, toHalf(row[i]!), true);
}

/** Blocks of a f16 scale and 32 signed bytes: value = scale × byte. */
function encodeQ8(row: Float32Array, out: DataView, offset: number): void {
  for (let start = 0; start < row.length; start += 32, offset += 34) {
    let largest = 0;
    for (let i = start; i < start + 32; i++) largest = Math.max(largest, Math.abs(row[i]!));
    const inverse = largest === 0 ? 0 : 127 / largest;
    out.setUint16(offset, toHalf(largest / 127), true);
    for (let i = 0; i < 32; i++) out.setInt8(offset + 2 + i, Math.round(row[start + i]! * inverse));
  }
}

/**
 * Blocks of a f16 scale and 32 nibbles: value = scale × (nibble − 8). Byte i holds value i in its low
 * half and value i + 16 in its high half. The scale's sign makes the largest value exactly nibble 0.
 */
function encodeQ4(row: Float32Array, out: DataView, offset: number): void {
  for (let start = 0; start < row.length; start += 32, offset += 18) {
    let largest = 0;
    for (let i = start; i < start + 32; i++) if (Math.abs(row[i]!) > Math.abs(largest)) largest = row[i]!;
    const inverse = largest === 0 ? 0 : -8 / largest;
    const nibble = (i: number): number => Math.min(15, Math.round(row[i]! * inverse + 8));
    out.setUint16(offset, toHalf(largest / -8), true);
    for (let i = start; i < start + 16; i++) {
      out.setUint8(offset + 2 + i - start, nibble(i) | (nibble(i + 16) << 4));
    }
  }
}
