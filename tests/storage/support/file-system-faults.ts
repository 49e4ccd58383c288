import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach } from 'vitest';

type FileSystem = typeof promises;
const original = { ...promises };

afterEach(() => {
  Object.assign(promises, original);
  syncBuiltinESMExports();
});

/** Replaces functions of node:fs/promises for the rest of the test, for every importer. */
export function replaceFileSystem(make: (original: FileSystem) => Partial<FileSystem>): void {
  Object.assign(promises, make(original));
  syncBuiltinESMExports();
}

/** An error as the system gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code });
}
