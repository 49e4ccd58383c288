import fs from 'node:fs';

// Pages are read and written with descriptors: the handles of node:fs/promises make that an eighth slower.

/** @param mode of a file that is made */
export function openFile(file: string, flags: string | number, mode?: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(file, flags, mode, (error, descriptor) => (error ? reject(error) : resolve(descriptor)));
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

export function writeFrom(descriptor: number, buffers: readonly Uint8Array[]): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.writev(descriptor, buffers, (error, bytesWritten) => (error ? reject(error) : resolve(bytesWritten)));
  });
}

/** As much as the system takes in one write, to a place in the file. */
export function writeAt(descriptor: number, buffer: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(descriptor, buffer, 0, buffer.byteLength, position, (error, bytesWritten) =>
      error ? reject(error) : resolve(bytesWritten),
    );
  });
}

export function statOpen(descriptor: number): Promise<fs.Stats> {
  return new Promise((resolve, reject) => {
    fs.fstat(descriptor, (error, stats) => (error ? reject(error) : resolve(stats)));
  });
}

export function cutFile(descriptor: number, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.ftruncate(descriptor, bytes, (error) => (error ? reject(error) : resolve()));
  });
}

export function closeFile(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.close(descriptor, (error) => (error ? reject(error) : resolve()));
  });
}

/** For files of a local disk, where closing waits for nobody. */
export function closeFileAtOnce(descriptor: number): void {
  fs.closeSync(descriptor);
}
