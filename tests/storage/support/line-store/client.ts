import { connect, type Socket } from 'node:net';
import { totalBytes } from '../../../../src/storage/buffers.ts';
import { unlessAborted } from '../../../../src/storage/concurrency.ts';
import type { Address } from '../../../../src/storage-suite/index.ts';
import { encode, encodeLine, type Message, MessageReader } from './protocol.ts';

const STATUSES = new Set(['hit', 'miss', 'stored', 'removed', 'keys']);

/** What a client may do wrong, to see whether the suite finds it. */
export type Flaw =
  | 'waits for ever'
  | 'never connects again'
  | 'keeps what it sends from'
  | 'does not hear errors'
  | 'takes garbage for misses'
  | 'goes by the order of answers'
  | 'keeps its connection';

interface Waiting {
  resolve(message: Message): void;
  reject(error: Error): void;
}

/** Requests over one connection, which is made when it is needed. */
export class LineClient {
  readonly #address: Address;
  readonly #flaw: Flaw | undefined;
  #waiting = new Map<string, Waiting>();
  #socket: Socket | undefined;
  #isClosed = false;
  #next = 0;

  constructor(address: Address, flaw?: Flaw) {
    this.#address = address;
    this.#flaw = flaw;
  }

  /** Rejects with the signal’s reason as soon as it aborts; what comes then is thrown away. */
  async ask(words: readonly string[], parts: readonly Uint8Array[], signal: AbortSignal): Promise<Message> {
    signal.throwIfAborted();
    if (this.#isClosed) throw new Error('It was closed.');
    const id = String(this.#next++);
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    this.#waiting.set(id, { resolve, reject });
    const socket = this.#connection();
    if (this.#flaw === 'keeps what it sends from') {
      socket.write(encodeLine([id, ...words], totalBytes(parts)));
      for (const part of parts) socket.write(part);
    } else {
      // A copy: the socket keeps what it is given longer than the call may last.
      socket.write(encode([id, ...words], Buffer.concat(parts)));
    }
    if (this.#flaw === 'waits for ever') return await promise;
    try {
      return await unlessAborted(promise, signal);
    } finally {
      this.#waiting.delete(id);
    }
  }

  close(): void {
    this.#isClosed = true;
    if (this.#flaw === 'keeps its connection') return;
    this.#socket?.destroy();
  }

  #connection(): Socket {
    if (this.#socket) return this.#socket;
    const socket = connect({ ...this.#address, noDelay: true });
    const reader = new MessageReader();
    socket.on('data', (data) => {
      try {
        for (const message of reader.push(data)) this.#answer(message);
      } catch {
        if (this.#flaw === 'takes garbage for misses')
          for (const { resolve } of this.#waiting.values())
            resolve({ words: ['miss'], body: Buffer.alloc(0) });
        socket.destroy();
      }
    });
    if (this.#flaw !== 'does not hear errors') socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#lost(socket));
    this.#socket = socket;
    return socket;
  }

  #answer({ words: [id = '', ...words], body }: Message): void {
    if (!STATUSES.has(words[0] ?? '')) throw new Error('This is no answer.');
    const [first] = this.#waiting.keys();
    const asked = this.#flaw === 'goes by the order of answers' ? (first ?? '') : id;
    this.#waiting.get(asked)?.resolve({ words, body });
    this.#waiting.delete(asked);
  }

  #lost(socket: Socket): void {
    if (this.#socket !== socket) return;
    if (this.#flaw !== 'never connects again') this.#socket = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting = new Map();
    for (const { reject } of waiting) reject(new Error('The connection was lost.'));
  }
}
