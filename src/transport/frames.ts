import { deserialize, serialize } from 'node:v8';

/** A frame: u32 little-endian length of the payload, then the payload in V8's serialization format. */
const HEADER_BYTES = 4;

/** Larger than any prompt; a length beyond it means that the stream is damaged. */
export const MAX_FRAME_BYTES = 256 << 20;

export function encodeFrame(message: unknown): Buffer {
  const payload = serialize(message);
  if (payload.length > MAX_FRAME_BYTES)
    throw new RangeError(`A message of ${payload.length} bytes is too large.`);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32LE(payload.length, 0);
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
      const length = this.#header().readUInt32LE(0);
      if (length > MAX_FRAME_BYTES) throw new RangeError(`A frame claims ${length} bytes.`);
      if (this.#size < HEADER_BYTES + length) return;
      const joined = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
      const payload = joined.subarray(HEADER_BYTES, HEADER_BYTES + length);
      const rest = joined.subarray(HEADER_BYTES + length);
      this.#pending = rest.length > 0 ? [rest] : [];
      this.#size = rest.length;
      yield deserialize(payload);
    }
  }

  /** The first chunk, with at least the header in it. */
  #header(): Buffer {
    if (this.#pending[0]!.length < HEADER_BYTES) this.#pending = [Buffer.concat(this.#pending)];
    return this.#pending[0]!;
  }
}
