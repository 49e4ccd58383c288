import callbacks from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach } from 'vitest';

type FileSystem = typeof promises;
const original = { ...promises };

/** What pages are read and written with, as promises. */
interface DescriptorCalls {
  open(file: string, flags: string | number, mode?: number): Promise<number>;
  readv(descriptor: number, buffers: readonly Uint8Array[]): Promise<number>;
  writev(descriptor: number, buffers: readonly Uint8Array[]): Promise<number>;
  write(
    descriptor: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number>;
}
const { open, readv, writev, write } = callbacks;
const calls = { open, readv, writev, write };
const asPromises = Object.fromEntries(
  Object.entries(calls).map(([name, call]) => [
    name,
    (...args: unknown[]) =>
      new Promise((resolve, reject) => {
        const done = (error: Error | null, value: unknown) => (error ? reject(error) : resolve(value));
        (call as (...all: unknown[]) => void)(...args, done);
      }),
  ]),
) as unknown as DescriptorCalls;

afterEach(() => {
  Object.assign(promises, original);
  Object.assign(callbacks, calls);
  syncBuiltinESMExports();
});

/** Replaces functions of node:fs/promises for the rest of the test, for every importer. */
export function replaceFileSystem(make: (original: FileSystem) => Partial<FileSystem>): void {
  Object.assign(promises, make(original));
  syncBuiltinESMExports();
}

/** Replaces calls by which pages are read and written for the rest of the test. */
export function replaceDescriptorCalls(make: (original: DescriptorCalls) => Partial<DescriptorCalls>): void {
  const replaced = Object.entries(make(asPromises)).map(([name, call]) => [
    name,
    (...args: unknown[]) => {
      const done = args.pop() as (error: unknown, value?: unknown) => void;
      // Outside of the promise, so that what the callback throws is not taken for a refusal.
      (call as (...all: unknown[]) => Promise<unknown>)(...args).then(
        (value) => process.nextTick(done, null, value),
        (error: unknown) => process.nextTick(done, error),
      );
    },
  ]);
  Object.assign(callbacks, calls, Object.fromEntries(replaced));
}

/** Makes opening a file fail for the rest of the test, where `refuse` gives an error. */
export function refuseToOpen(refuse: (file: string, flags: string | number) => Error | undefined): void {
  replaceDescriptorCalls((fs) => ({
    async open(file, flags, mode) {
      const error = refuse(file, flags);
      if (error) throw error;
      return fs.open(file, flags, mode);
    },
  }));
}

/** Makes every read and every write of several buffers move no more than so many bytes for the rest of the test. */
export function moveAtMost(bytes: number): void {
  const few = (buffers: readonly Uint8Array[]) => {
    const first = buffers.find(({ byteLength }) => byteLength > 0);
    return first ? [first.subarray(0, bytes)] : [];
  };
  replaceDescriptorCalls((fs) => ({
    readv: (descriptor, buffers) => fs.readv(descriptor, few(buffers)),
    writev: (descriptor, buffers) => fs.writev(descriptor, few(buffers)),
  }));
}

/** An error as the system gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code });
}
