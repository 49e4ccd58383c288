import type { Arrival } from '../cache/request-cache.ts';
import { ADMIT_AT_ONCE } from '../cache/request-cache.ts';
import type { Request } from './request.ts';

/**
 * While it is closed no waiting request is admitted, and none that arrives begins to fetch: so that the rank becomes
 * idle, and what comes meanwhile waits rather than fails.
 */
export class AdmissionGate {
  readonly #expect: (request: Request) => Arrival;
  #closed = false;
  /** Requests that have not asked the storage yet. */
  readonly #deferred = new Set<Request>();
  #whenIdle: (() => void)[] = [];

  /** @param expect begins to fetch what a request misses */
  constructor(expect: (request: Request) => Arrival) {
    this.#expect = expect;
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
  }

  /** Requests that arrived meanwhile ask the storage now. */
  open(): void {
    this.#closed = false;
    for (const request of this.#deferred) if (!request.aborted) request.arrival = this.#expect(request);
    this.#deferred.clear();
  }

  /** A request has arrived. */
  arrive(request: Request): Arrival {
    if (!this.#closed) return this.#expect(request);
    this.#deferred.add(request);
    return ADMIT_AT_ONCE;
  }

  /** Resolves when {@link noteIdle} is called, or the signal aborts. */
  idle(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = () => {
        signal.removeEventListener('abort', done);
        this.#whenIdle = this.#whenIdle.filter((other) => other !== done);
        resolve();
      };
      signal.addEventListener('abort', done, { once: true });
      this.#whenIdle.push(done);
    });
  }

  /** Nothing runs, and nothing is being moved. */
  noteIdle(): void {
    for (const resolve of [...this.#whenIdle]) resolve();
  }
}
