/** Bytes of some buffers together. */
export function totalBytes(buffers: readonly Uint8Array[]): number {
  return buffers.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** The parts of some buffers between two of their bytes, as if they were one. No copy. */
export function slice(buffers: readonly Uint8Array[], start: number, end: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const buffer of buffers) {
    const [from, to] = [Math.max(start - at, 0), Math.min(end - at, buffer.byteLength)];
    if (from < to) parts.push(buffer.subarray(from, to));
    at += buffer.byteLength;
  }
  return parts;
}

/** Copies a value into buffers, one after the other, as much as fits. */
export function scatter(value: Uint8Array, into: readonly Uint8Array[]): void {
  let at = 0;
  for (const buffer of into) {
    buffer.set(value.subarray(at, at + buffer.byteLength));
    at += buffer.byteLength;
  }
}

/** Copies buffers into one that is long enough, one after the other. */
export function gather(parts: readonly Uint8Array[], into: Uint8Array): void {
  let at = 0;
  for (const part of parts) {
    into.set(part, at);
    at += part.byteLength;
  }
}
