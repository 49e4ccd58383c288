import callbacks from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach } from 'vitest';

type FileSystem = typeof promises;
const original = { ...promises };
/** What pages are read with. */
const { open, readv } = callbacks;

afterEach(() => {
  Object.assign(promises, original);
  Object.assign(callbacks, { open, readv });
  syncBuiltinESMExports();
});

/** Replaces functions of node:fs/promises for the rest of the test, for every importer. */
export function replaceFileSystem(make: (original: FileSystem) => Partial<FileSystem>): void {
  Object.assign(promises, make(original));
  syncBuiltinESMExports();
}

/** Makes opening a file to read it fail for the rest of the test, where `refuse` gives an error. */
export function refuseToOpen(refuse: (file: string) => Error | undefined): void {
  const refusing = (
    file: string,
    flags: string,
    done: (error: Error | null, descriptor?: number) => void,
  ) => {
    const error = refuse(file);
    if (error) done(error);
    else open(file, flags, done);
  };
  Object.assign(callbacks, { open: refusing });
}

/** Makes every read give no more than so many bytes for the rest of the test. */
export function readAtMost(bytes: number): void {
  const short = (
    descriptor: number,
    buffers: readonly Uint8Array[],
    done: (error: Error | null, bytesRead?: number) => void,
  ) => {
    const first = buffers.find(({ byteLength }) => byteLength > 0);
    readv(descriptor, first ? [first.subarray(0, bytes)] : [], done);
  };
  Object.assign(callbacks, { readv: short });
}

/** An error as the system gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code });
}
