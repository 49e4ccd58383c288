import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../storage/support/folders.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { attach, detach, WITH_ADMIN_KEY } from '../support/storage-api.ts';

const CYCLES = 4000;
/** V8 would make the room for young objects larger by 64 MB now and then. */
const STEADY_HEAP = { NODE_OPTIONS: '--max-semi-space-size=4' };
/** Until the heap has its size. */
const WARM_UP = 2000;
/** Bytes that the memory of a process may differ by after that; an attachment that stayed would be more in the end. */
const NOISE = 60e6;

/** Of the server and its ranks. Linux only. */
async function held(server: TestServer): Promise<{ files: number; threads: number; memory: number }[]> {
  return [server.pid, ...(await server.rankPids())].map((pid) => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
    return {
      files: readdirSync(`/proc/${pid}/fd`).length,
      threads: number('Threads'),
      memory: 1024 * number('VmRSS'),
    };
  });
}

it('thousands of times attached and detached over HTTP, a server holds no more than before', async () => {
  const server = await startServer(['--dp-size', '2', ...WITH_ADMIN_KEY], STEADY_HEAP);
  try {
    const path = await temporaryFolder();
    let before = await held(server);
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      if (cycle === WARM_UP) before = await held(server);
      expect((await attach(server, { path })).status).toBe(200);
      expect((await detach(server)).status).toBe(200);
    }
    const after = await held(server);
    console.log({ before, after });
    for (const [i, { files, threads, memory }] of after.entries()) {
      expect(files).toBeLessThanOrEqual(before[i]!.files);
      expect(threads).toBeLessThanOrEqual(before[i]!.threads);
      expect(memory).toBeLessThan(before[i]!.memory + NOISE);
    }
    await server.expectIdle();
  } finally {
    await server.kill();
  }
});
