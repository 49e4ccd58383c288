import koffi from 'koffi';
import type { Pointer } from './structs.ts';

/** Native memory that stays where it is until {@link free}; `buffer` is a view of it, not a copy. */
export class NativeMemory {
  readonly pointer: Pointer;
  readonly buffer: ArrayBuffer;

  constructor(bytes: number) {
    this.pointer = koffi.alloc('uint8', bytes) as Pointer;
    this.buffer = koffi.view(this.pointer, bytes);
    new Uint8Array(this.buffer).fill(0);
  }

  /** Frees the memory. The views must not be touched any more. */
  free(): void {
    koffi.free(this.pointer);
  }
}
