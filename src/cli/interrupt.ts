import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Work that Ctrl-C ends in order: the first signal aborts the work's, and the process will end with the signal's status;
 * the second one ends it at once.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const interrupt = (name: (typeof SIGNALS)[number]) => {
    const status = 128 + constants.signals[name];
    if (stop.signal.aborted) process.exit(status);
    process.exitCode = status;
    stop.abort();
  };
  for (const name of SIGNALS) process.on(name, interrupt);
  try {
    return await work(stop.signal);
  } finally {
    for (const name of SIGNALS) process.off(name, interrupt);
  }
}

/** The exit status of a command that did not do all, unless a signal has set it. */
export function endedBadly(): void {
  process.exitCode ??= 1;
}
