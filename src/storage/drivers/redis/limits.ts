import { Problem } from './problems.ts';

/** A connection is made, or given up, within it: shorter than the deadlines of calls, so that these know why they failed. */
export const CONNECT_MS = 4000;
/** One node of several is given up so soon, as the next one may answer. */
export const ASK_MS = 2000;
/** Between attempts to connect that failed. */
export const PAUSE_MS = 100;
/** Commands wait so long while no byte comes or goes before their connection is given up. */
export const STALL_MS = 10_000;

/** The reason of a signal when time is up. */
export class Late extends Problem {
  constructor(milliseconds: number) {
    super('unreachable', `there was no answer within ${milliseconds / 1000} s`);
  }

  /** Of whom there was no answer, and which options to look at. */
  of(name: string, options: string): Problem {
    return new Problem(this.kind, `${name}: ${this.message}: check ${options}, and 'tls'`);
  }
}

/** Lets work take so long at most: its signal aborts then, with {@link Late}, or with the outer one. It ends by its signal. */
export async function within<T>(
  milliseconds: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  outer.throwIfAborted();
  const inner = new AbortController();
  const timer = setTimeout(() => inner.abort(new Late(milliseconds)), milliseconds);
  const abort = () => inner.abort(outer.reason);
  outer.addEventListener('abort', abort, { once: true });
  try {
    return await work(inner.signal);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', abort);
  }
}
