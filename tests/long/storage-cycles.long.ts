import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../storage/support/folders.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { attach, detach, WITH_ADMIN_KEY } from '../support/storage-api.ts';

const CYCLES = 8000;
/** V8 makes the room for young objects larger a few times before it stays as it is. */
const WARM_UP = 4000;
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
  const server = await startServer(['--dp-size', '2', ...WITH_ADMIN_KEY]);
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
