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
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, resolve);
  });
  return {
    address,
    async accept(signal) {
      try {
        return await new Promise<Transport>((resolve, reject) => {
          if (signal.aborted) return reject(signal.reason);
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
          server.once('connection', (socket) => resolve(new SocketTransport(socket)));
        });
      } finally {
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
