import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { parseCores, usableCores } from '../../src/engine/llama/cores.ts';
import { startServer, type TestServer } from '../support/server.ts';

/** As libuv calls the threads that decode. */
const POOL_THREAD = 'libuv-worker';

let server: TestServer | undefined;
afterEach(() => server?.kill());

/** The cores that each thread of the first rank may use, by the thread's name. */
async function coresByThread(): Promise<{ name: string; cores: string }[]> {
  const [rank] = (await server?.rankPids()) ?? [];
  return readdirSync(`/proc/${rank}/task`).map((thread) => {
    const status = readFileSync(`/proc/${rank}/task/${thread}/status`, 'utf8');
    const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
    return { name: field('Name'), cores: field('Cpus_allowed_list') };
  });
}

const isOneCore = ({ cores }: { cores: string }) => /^\d+$/.test(cores);

it.each([
  ['0-1', [0, 1]],
  ['0-2,8,10-11', [0, 1, 2, 8, 10, 11]],
  ['5', [5]],
  ['', []],
])('a list of cores: %j', (list, expected) => {
  expect(parseCores(list)).toEqual(expected);
});

const cores = usableCores();
describe.skipIf(cores.length < 2)('a thread that computes (needs Linux and two cores)', () => {
  it('has a core for itself where all compute', async () => {
    server = await startServer(['--threads', String(cores.length)]);
    const threads = await coresByThread();
    const callers = threads.filter(({ name }) => name === POOL_THREAD);
    expect(callers.length).toBeGreaterThan(0);
    expect(new Set(callers.map((caller) => caller.cores)).size).toBe(1);
    const others = threads.filter((thread) => thread.name !== POOL_THREAD && isOneCore(thread));
    expect(others).toHaveLength(cores.length - 1);
    const taken = new Set([...callers, ...others].map((thread) => thread.cores));
    expect(taken).toEqual(new Set(cores.map(String)));
    // JavaScript runs where there is room.
    expect(threads.some((thread) => !isOneCore(thread))).toBe(true);
  });

  it.each([
    ['another rank computes', ['--threads', String(cores.length), '--dp-size', '2']],
    ['a core is left', ['--threads', '1']],
  ])('has any core where %s', async (_, flags) => {
    server = await startServer(flags);
    expect((await coresByThread()).filter(isOneCore)).toEqual([]);
  });
});
