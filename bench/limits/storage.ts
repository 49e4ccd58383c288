import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Flags } from '../support/server.ts';

/** Flags of a server that writes to files, and has an L2 that is smaller than what is asked for; they go afterwards. */
export async function storedIn<T>(work: (flags: Flags) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tierkv-bench-'));
  try {
    return await work({
      '--hicache-storage-backend': 'file',
      '--hicache-storage-backend-extra-config': JSON.stringify({ path: folder, max_size: '2GB' }),
      '--hicache-ratio': 2,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
