import { setTimeout as sleep } from 'node:timers/promises';
import { unlessAborted } from '../../concurrency.ts';
import { nameOf } from './connect-problems.ts';
import { Connection } from './connection.ts';
import { ASK_MS, CONNECT_MS, Late, within } from './limits.ts';
import type { Link, Sender } from './link.ts';
import { probe } from './probe.ts';
import { Problem, type Redirect } from './problems.ts';
import { scanServer } from './scan.ts';
import type { Scanned, Servers } from './servers.ts';
import type { Address } from './settings.ts';
import { readSlots, slotOf } from './slots.ts';
import { Topology } from './topology.ts';

/** A key moves once, or twice where what was known was old. */
const MOST_HOPS = 5;
/** Between two questions for the topology while something is wrong with it. */
const REFRESH_MS = 1000;
/** A node that takes longer to tell the topology is not the only one that is asked. */
const HEAD_START_MS = 200;

type Make = (address: Address, signal: AbortSignal) => Promise<Link>;

/**
 * The masters of a cluster, each with a connection of its own, so that one that is gone or hangs holds up its own keys
 * and no others. The client's own cluster waits for all of them whenever it learns the topology.
 */
export class Cluster implements Servers {
  readonly #make: Make;
  readonly #seeds: readonly Address[];
  readonly #prefix: string;
  readonly #connections = new Map<string, Connection>();
  readonly #closing = new AbortController();
  #topology = new Topology([]);
  #isStale = true;
  #askedAt = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | undefined;

  constructor(make: Make, seeds: readonly Address[], prefix: string) {
    this.#make = make;
    this.#seeds = seeds;
    this.#prefix = prefix;
  }

  async open(signal: AbortSignal): Promise<void> {
    await unlessAborted(this.#refresh(), signal);
    const { masters } = this.#topology;
    const results = await Promise.allSettled(masters.map((master) => this.#try(master, signal)));
    const problems = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    // Nodes that are down now are no reason; what any node refuses is one, and so is that none can be reached.
    const reason = problems.find(({ kind, code }) => kind !== 'unreachable' || code !== undefined);
    if (reason || problems.length === masters.length) throw reason ?? problems[0];
  }

  async run<T>(
    key: string,
    bytes: number,
    signal: AbortSignal,
    work: (server: Sender) => Promise<T>,
  ): Promise<T> {
    await this.#freshen(signal);
    const slot = slotOf(key);
    let address = this.#topology.ownerOf(slot);
    let isAsking = false;
    for (let hop = 0; address && hop < MOST_HOPS; hop++) {
      try {
        const link = await this.#connection(address).link(signal);
        const server = isAsking ? link.asking : link;
        return await link.window.run(bytes, signal, () => work(server));
      } catch (error) {
        const redirect = this.#learnFrom(error);
        address = { host: redirect.host || hostOf(address), port: redirect.port };
        isAsking = redirect.asking;
        if (!isAsking) this.#topology.move(slot, address);
      }
    }
    throw this.#unknown('the cluster does not say which node has this key');
  }

  async scan(cursor: string | undefined, signal: AbortSignal): Promise<Scanned> {
    // One that begins must know of every master: nothing would say which keys it has left out.
    await this.#freshen(signal, cursor === undefined ? 0 : REFRESH_MS);
    const { layout, firstSlots } = this.#topology;
    const [began = layout, slotText = firstSlots[0], position] = cursor?.split('/') ?? [];
    if (began !== layout) throw new Problem('io', 'slots of the cluster moved while its keys were listed');
    const slot = Number(slotText);
    const owner = this.#topology.masterOf(slot);
    if (!owner) throw this.#unknown('the cluster does not say where its keys are');
    try {
      const link = await this.#connection(owner).link(signal);
      const { names, next } = await scanServer(link, `${this.#prefix}*`, position);
      if (next !== undefined) return { names, next: `${layout}/${slot}/${next}` };
      const later = firstSlots.find((first) => first > slot);
      return { names, next: later === undefined ? undefined : `${layout}/${later}/` };
    } catch (error) {
      this.#learnFrom(error);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new Problem('unreachable', 'the connection was closed'));
    await Promise.all([...this.#connections.values()].map((connection) => connection.close()));
    await this.#refreshing?.catch(nothing);
  }

  async #try(master: Address, signal: AbortSignal): Promise<void> {
    const link = await this.#connection(master).link(signal);
    const name = nameOf(master);
    let n = 0;
    // Only a key of its own slots tells what a node allows.
    while (nameOf(this.#topology.ownerOf(slotOf(`${this.#prefix}:${n}`)) ?? master) !== name) n++;
    // With the command of keys on their way before each other one, as that has to be allowed too.
    await within(CONNECT_MS, signal, (inner) =>
      unlessAborted(probe(link.asking, this.#prefix, String(n)), inner),
    );
  }

  /** Where to go instead; throws what says nothing of that. */
  #learnFrom(error: unknown): Redirect {
    if (!(error instanceof Problem)) throw error;
    if (error.kind === 'unreachable') this.#isStale = true;
    if (!error.redirect) throw error;
    return error.redirect;
  }

  /** What the topology lacks now, the next one may have. */
  #unknown(message: string): Problem {
    this.#isStale = true;
    return new Problem('unreachable', message);
  }

  /** Asks for the topology where there is a doubt about it. That nobody answers is no reason to stop: nodes may. */
  async #freshen(signal: AbortSignal, pauseMs = REFRESH_MS): Promise<void> {
    if (!this.#isStale || performance.now() - this.#askedAt < pauseMs) return;
    await unlessAborted(this.#refresh().catch(nothing), signal);
  }

  #refresh(): Promise<void> {
    this.#refreshing ??= this.#learn().finally(() => {
      this.#refreshing = undefined;
      this.#askedAt = performance.now();
    });
    return this.#refreshing;
  }

  /** Asks one after the other, and does not wait for those that take long. */
  async #learn(): Promise<void> {
    const found = new AbortController();
    const ending = AbortSignal.any([this.#closing.signal, found.signal]);
    const answers: Promise<Topology>[] = [];
    for (const address of this.#whoToAsk()) {
      const answer = within(ASK_MS, ending, (inner) => this.#ask(address, inner)).catch((error) => {
        throw error instanceof Late ? error.of(nameOf(address), "'cluster'") : error;
      });
      answers.push(answer);
      const isAnswered = Promise.any(answers).then(yes, no);
      const isOver = sleep(HEAD_START_MS, false, { signal: ending }).catch(no);
      if (await Promise.race([isAnswered, isOver, answer.then(yes, no)])) break;
    }
    try {
      this.#topology = await Promise.any(answers);
    } catch (error) {
      this.#closing.signal.throwIfAborted();
      throw error instanceof AggregateError ? error.errors[0] : error;
    } finally {
      found.abort();
    }
    this.#isStale = false;
    this.#forgetOthers();
  }

  async #ask(address: Address, signal: AbortSignal): Promise<Topology> {
    const link = await this.#connection(address).link(signal);
    const reply = await unlessAborted(link.send(['CLUSTER', 'SLOTS']), signal);
    const topology = new Topology(readSlots(reply, hostOf(address)));
    // As a node says that was reset: nothing that is known is given up for it.
    if (topology.masters.length === 0)
      throw new Problem('unreachable', 'no node of the cluster serves any slots');
    return topology;
  }

  /** Those that are connected first: others may have to be waited for. */
  #whoToAsk(): Address[] {
    const isConnected = (address: Address) => (this.#connections.get(nameOf(address))?.current ? 0 : 1);
    const byName = new Map([...this.#topology.masters, ...this.#seeds].map((one) => [nameOf(one), one]));
    return [...byName.values()].sort((a, b) => isConnected(a) - isConnected(b));
  }

  #connection(address: Address): Connection {
    const name = nameOf(address);
    let connection = this.#connections.get(name);
    if (!connection) {
      connection = new Connection((signal) => this.#make(address, signal));
      this.#connections.set(name, connection);
    }
    return connection;
  }

  #forgetOthers(): void {
    const masters = new Set(this.#topology.masters.map(nameOf));
    for (const [name, connection] of this.#connections) {
      if (masters.has(name) || connection.current?.isIdle === false) continue;
      this.#connections.delete(name);
      void connection.close();
    }
  }
}

const nothing = () => undefined;
const yes = () => true;
const no = () => false;

function hostOf(address: Address): string {
  return 'host' in address ? address.host : '';
}
