import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { RedisArgument } from '@redis/client';
import { connectProblem, nameOf } from './connect-problems.ts';
import { checkGreeting, type Mode, readGreeting } from './greeting.ts';
import { Late, STALL_MS } from './limits.ts';
import { madeSocket } from './made-socket.ts';
import { Problem, replyProblem } from './problems.ts';
import type { Address, Credentials } from './settings.ts';
import { Window } from './window.ts';

export type Redis = typeof import('@redis/client');
export type Reply = Buffer | string | number | null | Reply[];
export type Command = readonly RedisArgument[];

/** What a connection is made to. */
export interface Target {
  address: Address;
  /** What the server there must be. */
  mode: Mode;
  credentials: Credentials;
  db: number;
  tls: ConnectionOptions | undefined;
  /** To look at when nobody is there, as a message names them. */
  options: string;
}

export interface Sender {
  /** Rejects with a {@link Problem}. */
  send(command: Command, as?: 'text' | 'bytes'): Promise<Reply>;
}

/** Enough for a server to be busy while its answers are read; with more, reading becomes slower. */
const WINDOW_BYTES = 8 * 2 ** 20;

/**
 * One connection, from when it is made until it is lost: it is never made again. The client's own reconnecting would go
 * on when nobody asks for anything, and keeps what was sent to a server that hangs.
 */
export class Link implements Sender {
  readonly window = new Window(WINDOW_BYTES);
  readonly #redis: Redis;
  readonly #target: Target;
  readonly #client: ReturnType<Redis['createClient']>;
  /** Ends the socket at any time; the client alone cannot while it connects. */
  readonly #life = new AbortController();
  #isMade = false;
  #lost: Problem | undefined;
  #unanswered = 0;
  /** When it was last idle. */
  #busySince = 0;

  private constructor(redis: Redis, target: Target) {
    this.#redis = redis;
    this.#target = target;
    this.#client = redis.createClient({
      ...target.credentials,
      database: target.db,
      socket: {
        ...target.address,
        ...(target.tls ? { ...target.tls, tls: true } : {}),
        signal: this.#life.signal,
        reconnectStrategy: false,
      } as NonNullable<Parameters<Redis['createClient']>[0]>['socket'] & object,
      RESP: 2,
      disableOfflineQueue: true,
      // Commands of its own that users may not have the right to.
      disableClientInfo: true,
      maintNotifications: 'disabled',
      // Its timeout ends when a command is sent, and costs a timer for each.
      commandOptions: { timeout: undefined },
    });
    this.#client.on('error', (error) => this.#lose(this.#lossOf(error)));
  }

  /** Connects, and sees that the right server is there. Rejects with a {@link Problem}, or the signal's reason. */
  static async make(redis: Redis, target: Target, signal: AbortSignal): Promise<Link> {
    signal.throwIfAborted();
    const link = new Link(redis, target);
    const abort = () => link.close();
    signal.addEventListener('abort', abort, { once: true });
    try {
      await link.#connect();
      signal.throwIfAborted();
      return link;
    } catch (error) {
      link.close();
      if (!signal.aborted) throw error;
      const { reason } = signal;
      throw reason instanceof Late ? reason.of(nameOf(target.address), target.options) : reason;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  get isIdle(): boolean {
    return this.#unanswered === 0;
  }

  get address(): Address {
    return this.#target.address;
  }

  async send(command: Command, as: 'text' | 'bytes' = 'text'): Promise<Reply> {
    if (this.#lost) throw this.#lost;
    if (this.#unanswered++ === 0) this.#busySince = performance.now();
    try {
      return await this.#client.sendCommand<Reply>(command, as === 'bytes' ? this.#asBytes() : undefined);
    } catch (error) {
      throw this.#problem(error);
    } finally {
      this.#unanswered--;
    }
  }

  /** Sends to a node to which a key is on its way. */
  readonly asking: Sender = {
    send: async (command, as) => {
      // Not one after the other: nothing may come between them. A value is in use until its own answer is there.
      const sent = [this.send(['ASKING']), this.send(command, as)] as const;
      await Promise.allSettled(sent);
      const [, reply] = await Promise.all(sent);
      return reply;
    },
  };

  /** What was not answered rejects. */
  close(): void {
    this.#lose(new Problem('unreachable', 'the connection was closed'));
  }

  async #connect(): Promise<void> {
    const { begun, socket } = madeSocket(() => this.#client.connect());
    try {
      await begun;
    } catch (error) {
      throw this.#problem(error);
    }
    this.#watch(socket);
    checkGreeting(await readGreeting(this), this.#target);
    this.#isMade = true;
  }

  /**
   * Bytes and not answers: a large value takes long on a slow network. The socket looks also at how much of a write has
   * gone, and waits once more where some has; over TLS it cannot see less than the whole.
   */
  #watch(socket: Socket | undefined): void {
    socket?.setTimeout(STALL_MS);
    socket?.on('timeout', () => {
      if (this.isIdle) return;
      // What it waits for may be about to be sent.
      if (performance.now() - this.#busySince < STALL_MS) socket.setTimeout(STALL_MS);
      else this.#lose(new Problem('unreachable', `the server has not moved a byte for ${STALL_MS / 1000} s`));
    });
  }

  #problem(error: unknown): Problem {
    if (!(error instanceof this.#redis.ErrorReply)) return this.#lost ?? this.#lossOf(error);
    const problem = replyProblem(error);
    // The server closes it then, a moment later, whatever else is asked on it.
    if (problem.kind === 'size') this.#lose(this.#lossOf(error));
    return problem;
  }

  #lossOf(error: unknown): Problem {
    const { address, options } = this.#target;
    if (!this.#isMade) return connectProblem(error, address, options);
    return new Problem('unreachable', `the connection to ${nameOf(address)} was lost`);
  }

  #lose(problem: Problem): void {
    if (this.#lost) return;
    this.#lost = problem;
    this.#client.destroy();
    this.#life.abort();
  }

  #asBytes() {
    return { typeMapping: { [this.#redis.RESP_TYPES.BLOB_STRING]: Buffer } };
  }
}
