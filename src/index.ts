/** TierKV as a library: the server that `tierkv serve` runs, started from a program. */

export { type RunningServer, type ServerOptions, startServer } from './server/start.ts';
export { Failure } from './shared/errors.ts';
export { createLogger } from './shared/log.ts';
