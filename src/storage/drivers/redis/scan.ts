import type { Link } from './link.ts';
import { Problem } from './problems.ts';
import type { Scanned } from './servers.ts';

/** Keys that the server looks at in one go, in which it does nothing else. */
const PORTION = 1000;

const serials = new WeakMap<Link, number>();
let last = 0;

/**
 * One portion of a server's keys. A cursor is worth nothing to another server, nor to the same one after a restart, so
 * it names the connection that it came from: with another one the server's keys are begun again.
 *
 * @param pattern which keys, as SCAN takes it
 */
export async function scanServer(link: Link, pattern: string, cursor: string | undefined): Promise<Scanned> {
  const serial = serials.get(link) ?? ++last;
  serials.set(link, serial);
  const [from, at = '0'] = cursor?.split('.') ?? [];
  const position = from === String(serial) ? at : '0';
  const reply = await link.send(['SCAN', position, 'MATCH', pattern, 'COUNT', String(PORTION)]);
  if (!Array.isArray(reply) || !Array.isArray(reply[1]))
    throw new Problem('io', 'the server answered SCAN with no list of keys');
  const next = String(reply[0]);
  return { names: reply[1].map(String), next: next === '0' ? undefined : `${serial}.${next}` };
}
