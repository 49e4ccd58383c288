import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../options.ts';
import { Connection } from './connection.ts';
import { checkToxic, type Stream, type Toxic } from './toxics.ts';

export interface FaultProxyOptions {
  /** Where the server listens. */
  upstream: Address;
  /** From 0 to 1, for what is left to chance. Math.random where it is absent. */
  random?: () => number;
}

/** Somebody else may have taken the port while the proxy was down. */
const PORT_TRIES = 100;
const BETWEEN_TRIES_MS = 50;

/**
 * A TCP proxy on loopback that breaks connections in the ways of toxiproxy. What is added or removed holds for open
 * connections too.
 */
export class FaultProxy {
  readonly #upstream: Address;
  readonly #random: () => number;
  readonly #connections = new Set<Connection>();
  readonly #toxics = new Map<string, Toxic>();
  #server: Server | undefined;
  #port = 0;

  private constructor({ upstream, random = Math.random }: FaultProxyOptions) {
    this.#upstream = upstream;
    this.#random = random;
  }

  /** A proxy that listens, on a port that nobody used. */
  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options);
    await proxy.up();
    return proxy;
  }

  /** Where clients find it; the same for its whole life. */
  get address(): Address {
    return { host: '127.0.0.1', port: this.#port };
  }

  /** Those that are in effect, in the order in which data goes through them. */
  get toxics(): readonly Toxic[] {
    return [...this.#toxics.values()];
  }

  /** Those that are open, with the bytes that were passed on each way. */
  get connections(): readonly { bytes: Readonly<Record<Stream, number>> }[] {
    return [...this.#connections].map(({ bytes }) => ({ bytes }));
  }

  /** Gives its name. Throws RangeError for a toxic that cannot be, or whose name is taken. */
  add(toxic: Toxic): string {
    checkToxic(toxic);
    const name = toxic.name ?? `${toxic.type}_${toxic.stream ?? 'downstream'}`;
    if (this.#toxics.has(name)) throw new RangeError(`There is a toxic '${name}' already.`);
    const own = { ...toxic };
    this.#toxics.set(name, own);
    for (const connection of this.#connections) connection.add(own);
    return name;
  }

  /** Resolves when what it held has gone on. Throws RangeError where there is none of that name. */
  async remove(name: string): Promise<void> {
    const toxic = this.#toxics.get(name);
    if (!toxic) throw new RangeError(`There is no toxic '${name}'.`);
    this.#toxics.delete(name);
    await Promise.all([...this.#connections].map((connection) => connection.remove(toxic)));
  }

  async removeAll(): Promise<void> {
    await Promise.all([...this.#toxics.keys()].map((name) => this.remove(name)));
  }

  /** Closes every connection; new ones may come at once. */
  closeConnections(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  /** Refuses connections, and closes those that are open, until {@link up}: `enabled: false` of toxiproxy. */
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.closeConnections();
    const closed = [...this.#connections].map((connection) => connection.closed);
    if (server) await new Promise((resolve) => server.close(resolve));
    await Promise.all(closed);
  }

  /** Listens again, on the same port. */
  async up(): Promise<void> {
    if (this.#server) return;
    for (let left = PORT_TRIES; ; left--) {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
      try {
        await once(server.listen(this.#port, '127.0.0.1'), 'listening');
        this.#server = server;
        this.#port = portOf(server);
        return;
      } catch (error) {
        if (left === 0) throw error;
        await sleep(BETWEEN_TRIES_MS);
      }
    }
  }

  /** Ends it for good. */
  async stop(): Promise<void> {
    await this.down();
  }

  #accept(client: Socket): void {
    const connection = new Connection(client, this.#upstream, this.#random);
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    for (const toxic of this.#toxics.values()) connection.add(toxic);
  }
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('The proxy has no port.');
  return address.port;
}
