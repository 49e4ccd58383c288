import { deserialize, serialize } from 'node:v8';

/**
 * A frame: u32 little-endian length of the payload, u32 kind, then the payload: of kind 0 in V8's serialization format, of
 * kind 1 the bytes of an Int32Array, which costs a tenth of that.
 */
const HEADER_BYTES = 8;
const OBJECT = 0;
const INTEGERS = 1;

/** Larger than any prompt; a length beyond it means that the stream is damaged. */
export const MAX_FRAME_BYTES = 256 << 20;

export function encodeFrame(message: unknown): Buffer {
  const isIntegers = message instanceof Int32Array;
  const payload = isIntegers
    ? Buffer.from(message.buffer, message.byteOffset, message.byteLength)
    : serialize(message);
  if (payload.length > MAX_FRAME_BYTES)
    throw new RangeError(`A message of ${payload.length} bytes is too large.`);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt32LE(isIntegers ? INTEGERS : OBJECT, 4);
  payload.copy(frame, HEADER_BYTES);
  return frame;
}

/** Cuts a byte stream into frames, however the stream was chunked. */
export class FrameDecoder {
  #pending: Buffer[] = [];
  #size = 0;

  /** Takes the next bytes and yields the messages that are now complete. Throws when the stream is damaged. */
  *push(chunk: Buffer): Generator<unknown> {
    this.#pending.push(chunk);
    this.#size += chunk.length;
    while (this.#size >= HEADER_BYTES) {
      const header = this.#header();
      const [length, kind] = [header.readUInt32LE(0), header.readUInt32LE(4)];
      if (length > MAX_FRAME_BYTES) throw new RangeError(`A frame claims ${length} bytes.`);
      if (this.#size < HEADER_BYTES + length) return;
      const joined = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
      const payload = joined.subarray(HEADER_BYTES, HEADER_BYTES + length);
      const rest = joined.subarray(HEADER_BYTES + length);
      this.#pending = rest.length > 0 ? [rest] : [];
      this.#size = rest.length;
      yield decode(kind, payload);
    }
  }

  /** The first chunk, with at least the header in it. */
  #header(): Buffer {
    if (this.#pending[0]!.length < HEADER_BYTES) this.#pending = [Buffer.concat(this.#pending)];
    return this.#pending[0]!;
  }
}

function decode(kind: number, payload: Buffer): unknown {
  if (kind === OBJECT) return deserialize(payload);
  if (kind !== INTEGERS || payload.length % 4 !== 0) throw new RangeError(`A frame is of kind ${kind}.`);
  const integers = new Int32Array(payload.length / 4);
  payload.copy(new Uint8Array(integers.buffer));
  return integers;
}
