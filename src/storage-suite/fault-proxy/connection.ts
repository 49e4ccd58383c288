import { connect, type Socket } from 'node:net';
import type { Address } from '../options.ts';
import { Link } from './link.ts';
import type { Stream, Toxic } from './toxics.ts';

/** A client’s connection, and the one to the server that belongs to it. */
export class Connection {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #links: Record<Stream, Link>;
  /** Resolves when both are closed. */
  readonly closed: Promise<void>;

  constructor(client: Socket, upstream: Address, random: () => number) {
    this.#client = client;
    this.#server = connect({ ...upstream, allowHalfOpen: true, noDelay: true });
    const both = [this.#client, this.#server];
    const ending = {
      close: () => this.#close(),
      reset: () => {
        for (const socket of both) socket.resetAndDestroy();
      },
    };
    this.#links = {
      upstream: new Link(this.#client, this.#server, ending, random),
      downstream: new Link(this.#server, this.#client, ending, random),
    };
    for (const socket of both) socket.on('error', () => this.destroy());
    const ends = both.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())));
    this.closed = Promise.all(ends).then(() => this.#destroyLinks());
  }

  /** Bytes that have been passed on, each way. */
  get bytes(): Record<Stream, number> {
    return { upstream: this.#links.upstream.bytes, downstream: this.#links.downstream.bytes };
  }

  add(toxic: Toxic): void {
    this.#links[toxic.stream ?? 'downstream'].add(toxic);
  }

  async remove(toxic: Toxic): Promise<void> {
    await this.#links[toxic.stream ?? 'downstream'].remove(toxic);
  }

  /** Closes both at once; what waits is lost. */
  destroy(): void {
    this.#destroyLinks();
    this.#client.destroy();
    this.#server.destroy();
  }

  /** Closes both when what was passed on has been written. */
  #close(): void {
    this.#destroyLinks();
    this.#client.destroySoon();
    this.#server.destroySoon();
  }

  #destroyLinks(): void {
    for (const link of Object.values(this.#links)) link.destroy();
  }
}
