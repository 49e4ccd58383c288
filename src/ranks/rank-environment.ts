/** Tells a rank process where its server listens. */
export const RANK_ADDRESS_VARIABLE = 'TIERKV_RANK_ADDRESS';

/** Decoding blocks a thread of libuv's pool for as long as a batch takes; its four would starve file I/O. */
const THREAD_POOL_SIZE = '16';

export function rankEnvironment(address: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    [RANK_ADDRESS_VARIABLE]: address,
    UV_THREADPOOL_SIZE: process.env.UV_THREADPOOL_SIZE ?? THREAD_POOL_SIZE,
    // A backtrace forks a debugger, which can hang the process that should die.
    GGML_NO_BACKTRACE: '1',
  };
}
