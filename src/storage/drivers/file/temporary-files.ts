import { hash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';

/**
 * A page is written under a temporary name beside its own and then renamed, so that nobody sees half of it. The name
 * says who writes: `.<host>-<process>-<random>.tmp`, so that what a killed writer left can be told from what one is
 * still writing.
 */

const NAME = /^\.([0-9a-f]{8})-(\d+)-[0-9a-f]{16}\.tmp$/;
const HOST = hash('sha256', hostname()).slice(0, 8);
const LONGEST_WRITE_MS = 10 * 60 * 1000;

// A restarted process can have the number of the one that died, so the number alone does not tell its own files.
const own = new Set<string>();

/** A new name; it is in use until it is {@link releaseTemporaryName released}. */
export function takeTemporaryName(): string {
  const name = `.${HOST}-${process.pid}-${randomBytes(8).toString('hex')}.tmp`;
  own.add(name);
  return name;
}

export function releaseTemporaryName(name: string): void {
  own.delete(name);
}

export function isTemporary(file: string): boolean {
  return NAME.test(file);
}

export function isOwnTemporary(file: string): boolean {
  return own.has(file);
}

/** Whether nobody writes this temporary file any more: its process on this host is dead, or it is older than a write. */
export function isStale(file: string, modified: number, now: number): boolean {
  if (own.has(file)) return false;
  const [, host, number] = NAME.exec(file) ?? [];
  if (now - modified > LONGEST_WRITE_MS) return true;
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
