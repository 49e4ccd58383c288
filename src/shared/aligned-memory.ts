/**
 * Memory that begins where a page of the system does; the system backs it as it is first touched. Undefined when there is
 * none.
 */
export function alignedMemory(bytes: number): ArrayBuffer | undefined {
  try {
    // One that could grow is made of whole pages; the memory of others begins in the middle of a line.
    return new ArrayBuffer(bytes, { maxByteLength: bytes });
  } catch {
    return undefined; // a RangeError
  }
}
