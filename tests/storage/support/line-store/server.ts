import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Address } from '../../../../src/storage-suite/index.ts';
import { encode, type Message, MessageReader } from './protocol.ts';

interface Stored {
  value: Buffer;
  /** Since when it has not been used. */
  usedAt: number;
  /** Milliseconds without use after which it leaves; 0 is never. */
  ttl: number;
}

export interface LineStore {
  address: Address;
  stop(): Promise<void>;
}

const PORTION = 100;
const nothing = Buffer.alloc(0);

/** A small store over TCP: named sets of values, in memory. */
export async function startLineStore(): Promise<LineStore> {
  const stores = new Map<string, Map<string, Stored>>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const reader = new MessageReader();
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (data) => {
      try {
        for (const message of reader.push(data)) {
          const { words, body } = answer(stores, message);
          socket.write(encode([message.words[0]!, ...words], body));
        }
      } catch {
        socket.destroy();
      }
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return {
    address: { host: '127.0.0.1', port: address.port },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(stores: Map<string, Map<string, Stored>>, { words, body }: Message): Message {
  const [, operation, store = '', key = '', ttl = '0'] = words;
  const values = stores.get(store) ?? new Map<string, Stored>();
  stores.set(store, values);
  const found = values.get(key);
  const isOver = found && found.ttl > 0 && performance.now() - found.usedAt >= found.ttl;
  if (isOver) values.delete(key);
  const stored = isOver ? undefined : found;
  switch (operation) {
    case 'has':
      return { words: [stored ? 'hit' : 'miss'], body: nothing };
    case 'read':
      if (stored) stored.usedAt = performance.now();
      return stored ? { words: ['hit'], body: stored.value } : { words: ['miss'], body: nothing };
    case 'write':
      values.set(key, { value: Buffer.from(body), usedAt: performance.now(), ttl: Number(ttl) });
      return { words: ['stored'], body: nothing };
    case 'remove':
      values.delete(key);
      return { words: [stored ? 'removed' : 'miss'], body: nothing };
    case 'list': {
      const cursor = body.toString();
      const later = [...values.keys()].filter((each) => each > cursor).sort();
      return { words: ['keys'], body: Buffer.from(later.slice(0, PORTION).join('\n')) };
    }
    default:
      throw new Error(`There is no ${operation}.`);
  }
}
