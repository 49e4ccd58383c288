import { hash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Files that a writer makes for the time of its work begin with its name, `.<host>-<process>-<random>`, so that what a
 * killed one left can be told from what one is still using.
 */

const NAME = /^\.([0-9a-f]{8})-(\d+)-[0-9a-f]{16}(?=\.)/;
/** No writer uses such a file for longer. */
export const LONGEST_USE_MS = 10 * 60 * 1000;

// Numbers of processes mean something on one machine since its start, in one container: elsewhere the age tells.
const HOST = hash(
  'sha256',
  [
    hostname(),
    orNothing(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
    orNothing(() => readlinkSync('/proc/self/ns/pid')),
  ].join(' '),
).slice(0, 8);

// A restarted process can have the number of the one that died, so the number alone does not tell its own files.
const own = new Set<string>();

/** A new name; it is in use until it is {@link releaseWriterName released}. */
export function takeWriterName(): string {
  const name = `.${HOST}-${process.pid}-${randomBytes(8).toString('hex')}`;
  own.add(name);
  return name;
}

export function releaseWriterName(name: string): void {
  own.delete(name);
}

/** The writer's name that a file begins with. */
export function writerOf(file: string): string | undefined {
  return NAME.exec(file)?.[0];
}

export function isOwn(file: string): boolean {
  return own.has(writerOf(file) ?? '');
}

/** Whether nobody uses this file any more: its process on this host is dead, or it is too old. */
export function isStale(file: string, modified: number, now: number): boolean {
  if (isOwn(file)) return false;
  if (now - modified > LONGEST_USE_MS) return true;
  const [, host, number] = NAME.exec(file) ?? [];
  if (host !== HOST) return false;
  return Number(number) === process.pid || !isAlive(Number(number));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process may not be signalled, but is there.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function orNothing(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
