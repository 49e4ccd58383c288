import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../storage/support/folders.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { attach, detach, WITH_ADMIN_KEY } from '../support/storage-api.ts';

const CYCLES = 1000;
const WARM_UP = 200;
/** Bytes that the memory of a process may differ by: its heap grows and shrinks by more than an attachment holds. */
const NOISE = 40e6;

/** Of the server and its ranks. Linux only. */
function held(server: TestServer): { files: number; threads: number; memory: number }[] {
  return [server.pid, ...server.rankPids()].map((pid) => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
    return {
      files: readdirSync(`/proc/${pid}/fd`).length,
      threads: number('Threads'),
      memory: 1024 * number('VmRSS'),
    };
  });
}

it('a thousand times attached and detached over HTTP, a server holds no more than before', async () => {
  const server = await startServer(['--dp-size', '2', ...WITH_ADMIN_KEY]);
  const path = await temporaryFolder();
  let before = held(server);
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    if (cycle === WARM_UP) before = held(server);
    expect((await attach(server, { path })).status).toBe(200);
    expect((await detach(server)).status).toBe(200);
  }
  const after = held(server);
  console.log({ before, after });
  for (const [i, { files, threads, memory }] of after.entries()) {
    expect(files).toBeLessThanOrEqual(before[i]!.files);
    expect(threads).toBeLessThanOrEqual(before[i]!.threads);
    expect(memory).toBeLessThan(before[i]!.memory + NOISE);
  }
  await server.expectIdle();
  await server.kill();
});
