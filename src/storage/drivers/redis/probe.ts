import type { Sender } from './link.ts';
import { Problem } from './problems.ts';

/**
 * Uses every command that calls use, on a key that cannot be one of the contract's, and changes nothing. Rejects with
 * the first thing that is not allowed; that the server is full is no reason, since it still has values to read.
 */
export async function probe(server: Sender, prefix: string, name = 'probe'): Promise<void> {
  const key = `${prefix}:${name}`;
  const results = await Promise.allSettled([
    server.send(['EXISTS', key]),
    server.send(['GET', key]),
    // Only where there is a value already, which there is not.
    server.send(['SET', key, '', 'EX', '1', 'XX']),
    server.send(['UNLINK', key]),
    server.send(['SCAN', '0', 'MATCH', `${prefix}*`, 'COUNT', '1']),
  ]);
  for (const result of results) {
    if (result.status === 'fulfilled') continue;
    if (!(result.reason instanceof Problem) || result.reason.kind !== 'full') throw result.reason;
  }
}
