import { connect, type Socket } from 'node:net';
import { unlessAborted } from '../../../../src/storage/concurrency.ts';
import type { Address } from '../../../../src/storage-suite/index.ts';
import { encode, type Message, MessageReader } from './protocol.ts';

const STATUSES = new Set(['hit', 'miss', 'stored', 'removed', 'keys']);

interface Waiting {
  resolve(message: Message): void;
  reject(error: Error): void;
}

/** Requests over one connection, which is made when it is needed. */
export class LineClient {
  readonly #address: Address;
  #waiting = new Map<string, Waiting>();
  #socket: Socket | undefined;
  #isClosed = false;
  #next = 0;

  constructor(address: Address) {
    this.#address = address;
  }

  /** Rejects with the signal’s reason as soon as it aborts; what comes then is thrown away. */
  async ask(words: readonly string[], body: Buffer, signal: AbortSignal): Promise<Message> {
    signal.throwIfAborted();
    if (this.#isClosed) throw new Error('It was closed.');
    const id = String(this.#next++);
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    this.#waiting.set(id, { resolve, reject });
    this.#connection().write(encode([id, ...words], body));
    try {
      return await unlessAborted(promise, signal);
    } finally {
      this.#waiting.delete(id);
    }
  }

  close(): void {
    this.#isClosed = true;
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
        socket.destroy();
      }
    });
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#lost(socket));
    this.#socket = socket;
    return socket;
  }

  #answer({ words: [id = '', ...words], body }: Message): void {
    if (!STATUSES.has(words[0] ?? '')) throw new Error('This is no answer.');
    this.#waiting.get(id)?.resolve({ words, body });
  }

  #lost(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting = new Map();
    for (const { reject } of waiting) reject(new Error('The connection was lost.'));
  }
}
