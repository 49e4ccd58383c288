import { unlessAborted } from '../../concurrency.ts';
import { Connection } from './connection.ts';
import { CONNECT_MS, within } from './limits.ts';
import type { Link, Sender } from './link.ts';
import { probe } from './probe.ts';
import { Problem } from './problems.ts';
import { scanServer } from './scan.ts';
import type { Scanned, Servers } from './servers.ts';

/** One server: the one that the options name, or the master that the sentinels name when a connection is made. */
export class SingleServer implements Servers {
  readonly #connection: Connection;
  readonly #prefix: string;

  constructor(make: (signal: AbortSignal) => Promise<Link>, prefix: string) {
    this.#connection = new Connection(make);
    this.#prefix = prefix;
  }

  async open(signal: AbortSignal): Promise<void> {
    const link = await this.#connection.link(signal);
    await within(CONNECT_MS, signal, (inner) => unlessAborted(probe(link, this.#prefix), inner));
  }

  async run<T>(
    _key: string,
    bytes: number,
    signal: AbortSignal,
    work: (server: Sender) => Promise<T>,
  ): Promise<T> {
    const link = await this.#connection.link(signal);
    try {
      return await link.window.run(bytes, signal, () => work(link));
    } catch (error) {
      // It was the master, and is not any more: sentinels name another one, and so may the name or address.
      if (error instanceof Problem && error.code === 'READONLY') link.close();
      throw error;
    }
  }

  async scan(cursor: string | undefined, signal: AbortSignal): Promise<Scanned> {
    return scanServer(await this.#connection.link(signal), `${this.#prefix}*`, cursor);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}
