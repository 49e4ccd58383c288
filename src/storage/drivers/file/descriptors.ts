import fs from 'node:fs';

// Reading is done with descriptors: the handles of node:fs/promises make it an eighth slower.

export function openToRead(file: string, flags: string | number = 'r'): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(file, flags, (error, descriptor) => (error ? reject(error) : resolve(descriptor)));
  });
}

export function readInto(descriptor: number, buffers: readonly Uint8Array[]): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.readv(descriptor, buffers, (error, bytesRead) => (error ? reject(error) : resolve(bytesRead)));
  });
}

/** As much as there is in one read from a place in the file. */
export function readAt(descriptor: number, buffer: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(descriptor, buffer, 0, buffer.byteLength, position, (error, bytesRead) =>
      error ? reject(error) : resolve(bytesRead),
    );
  });
}

export function closeFile(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.close(descriptor, (error) => (error ? reject(error) : resolve()));
  });
}

/** For files that were only read, where no system call waits for anybody. */
export function closeFileAtOnce(descriptor: number): void {
  fs.closeSync(descriptor);
}
