import { setTimeout as sleep } from 'node:timers/promises';
import { unlessAborted } from '../../concurrency.ts';
import { CONNECT_MS, PAUSE_MS, within } from './limits.ts';
import type { Link } from './link.ts';
import { Problem } from './problems.ts';

/** A connection that is made when it is needed, and again when it was lost: by the next call, however late that is. */
export class Connection {
  readonly #make: (signal: AbortSignal) => Promise<Link>;
  readonly #closing = new AbortController();
  #link: Link | undefined;
  #attempt: Promise<Link> | undefined;
  #notBefore = 0;

  /** @param make ends with its signal */
  constructor(make: (signal: AbortSignal) => Promise<Link>) {
    this.#make = make;
  }

  /** The connection that there is. */
  get current(): Link | undefined {
    return this.#link?.isLost ? undefined : this.#link;
  }

  /** The connection, made if there is none. Who comes meanwhile waits for the same attempt, as long as the signal lets. */
  async link(signal: AbortSignal): Promise<Link> {
    if (this.current) return this.current;
    signal.throwIfAborted();
    this.#attempt ??= this.#try().finally(() => {
      this.#attempt = undefined;
    });
    return unlessAborted(this.#attempt, signal);
  }

  /** Ends everything. Resolves when nothing of it is left. */
  async close(): Promise<void> {
    this.#closing.abort(new Problem('unreachable', 'the connection was closed'));
    this.#link?.close();
    await this.#attempt?.catch(nothing);
  }

  async #try(): Promise<Link> {
    const closing = this.#closing.signal;
    const pause = this.#notBefore - performance.now();
    if (pause > 0) await sleep(pause, undefined, { signal: closing }).catch(nothing);
    try {
      this.#link = await within(CONNECT_MS, closing, this.#make);
      return this.#link;
    } catch (error) {
      this.#notBefore = performance.now() + PAUSE_MS;
      throw error;
    }
  }
}

const nothing = () => undefined;
