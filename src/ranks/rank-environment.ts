import os from 'node:os';

/** Tells a rank process where its server listens. */
export const RANK_ADDRESS_VARIABLE = 'TIERKV_RANK_ADDRESS';

/** Decoding blocks a thread of libuv's pool for as long as a batch takes; its four would starve file I/O. */
const THREAD_POOL_SIZE = '16';

/**
 * Before version 2.39, glibc copies with `rep movsb`, at which AMD's Zen 3 and 4 are slow where source and destination
 * are not aligned alike (bug 30994), as pages and cells never are. No copy is that long, so it takes vectors, as newer
 * versions do: pages move a seventh faster between L1 and L2.
 */
const COPY_WITH_VECTORS = 'glibc.cpu.x86_rep_movsb_threshold=0x10000000';

/** What a process needs in its environment before it starts an engine; the operator's own settings stay. */
export function engineEnvironment(processor = os.cpus()[0]?.model ?? ''): NodeJS.ProcessEnv {
  const tunables = processor.startsWith('AMD') ? { GLIBC_TUNABLES: COPY_WITH_VECTORS } : {};
  return {
    UV_THREADPOOL_SIZE: THREAD_POOL_SIZE,
    ...tunables,
    ...process.env,
    // A backtrace forks a debugger, which can hang the process that should die.
    GGML_NO_BACKTRACE: '1',
  };
}

export function rankEnvironment(address: string): NodeJS.ProcessEnv {
  return { ...engineEnvironment(), [RANK_ADDRESS_VARIABLE]: address };
}
