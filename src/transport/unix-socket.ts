import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect as netConnect, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { encodeFrame, FrameDecoder } from './frames.ts';
import type { Transport } from './transport.ts';

/** A place that one rank can connect to, once. */
export interface Listener {
  /** What the rank passes to {@link connectToServer}. */
  readonly address: string;
  /** Resolves when the rank has connected; rejects when the signal aborts first. Closes the listener either way. */
  accept(signal: AbortSignal): Promise<Transport>;
}

/** Listens on a socket in a folder that only this user can enter. */
export async function listenForRank(): Promise<Listener> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tierkv-'));
  const address =
    process.platform === 'win32' ? `\\\\.\\pipe\\${path.basename(folder)}` : path.join(folder, 'rank.sock');
  const server = createServer();
  server.maxConnections = 1;
  // The rank may be faster than the call of `accept`.
  const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, resolve);
  });
  return {
    address,
    async accept(signal) {
      const aborted = Promise.withResolvers<never>();
      const abort = () => aborted.reject(signal.reason);
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
      try {
        return new SocketTransport(await Promise.race([aborted.promise, connected]));
      } catch (error) {
        void connected.then((socket) => socket.destroy());
        throw error;
      } finally {
        signal.removeEventListener('abort', abort);
        server.close();
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

export function connectToServer(address: string): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const socket = netConnect(address);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(new SocketTransport(socket));
    });
  });
}

class SocketTransport implements Transport {
  readonly #socket: Socket;
  #error: Error | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#error = error;
    });
  }

  send(message: unknown): void {
    if (this.#socket.writable) this.#socket.write(encodeFrame(message));
  }

  onMessage(listener: (message: unknown) => void): void {
    const decoder = new FrameDecoder();
    this.#socket.on('data', (chunk: Buffer) => {
      try {
        for (const message of decoder.push(chunk)) listener(message);
      } catch (cause) {
        this.#socket.destroy(cause instanceof Error ? cause : new Error(String(cause)));
      }
    });
  }

  onClose(listener: (error: Error | undefined) => void): void {
    this.#socket.once('close', () => listener(this.#error));
  }

  close(): void {
    this.#socket.destroy();
  }
}
