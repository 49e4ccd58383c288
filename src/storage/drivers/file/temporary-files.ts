import { releaseWriterName, takeWriterName, writerOf } from './writer-names.ts';

/**
 * A page is written under a temporary name beside its own and then renamed, so that nobody sees half of it. The name
 * says who writes.
 */

const SUFFIX = '.tmp';

/** A new name; it is in use until it is {@link releaseTemporaryName released}. */
export function takeTemporaryName(): string {
  return takeWriterName() + SUFFIX;
}

export function releaseTemporaryName(name: string): void {
  releaseWriterName(name.slice(0, -SUFFIX.length));
}

export function isTemporary(file: string): boolean {
  const writer = writerOf(file);
  return writer !== undefined && file === writer + SUFFIX;
}
