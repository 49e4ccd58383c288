import { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { totalBytes } from '../../buffers.ts';
import type { Read, ReadResult } from '../../driver.ts';
import { failed } from '../../results.ts';

/**
 * Copies the body of an answer into buffers, as it comes. Ends the connection of a value that does not fit. Throws when
 * the body breaks off.
 *
 * @param length what the store says that the body has
 */
export async function download(
  body: Readable,
  length: number | undefined,
  { into, filled }: Read,
): Promise<ReadResult> {
  const room = totalBytes(into);
  const target = new Target(into);
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    target.add(chunk);
    bytes += chunk.byteLength;
    // Leaving the loop destroys the body.
    if (bytes > room) return failed('size', 'The value does not fit into the buffers.');
  }
  if (length === undefined ? !tellsItsEnd(body) : bytes !== length)
    return failed('io', `The value broke off after ${bytes} bytes.`);
  filled?.(bytes);
  return { status: 'hit', bytes };
}

/** Without a length, and without chunks, the end of a body looks like the end of its connection. */
function tellsItsEnd(body: Readable): boolean {
  return body instanceof IncomingMessage && body.headers['transfer-encoding'] === 'chunked';
}

/** Buffers that are filled one after the other; what does not fit is left out. */
class Target {
  readonly #buffers: readonly Uint8Array[];
  #index = 0;
  #at = 0;

  constructor(buffers: readonly Uint8Array[]) {
    this.#buffers = buffers;
  }

  add(chunk: Uint8Array): void {
    let from = 0;
    while (from < chunk.byteLength) {
      const buffer = this.#buffers[this.#index];
      if (!buffer) return;
      const part = chunk.subarray(from, from + buffer.byteLength - this.#at);
      buffer.set(part, this.#at);
      from += part.byteLength;
      this.#at += part.byteLength;
      if (this.#at < buffer.byteLength) return;
      this.#index++;
      this.#at = 0;
    }
  }
}
