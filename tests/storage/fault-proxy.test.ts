import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FaultProxy, type Toxic } from '../../src/storage-suite/index.ts';
import { bytes } from './support/calls.ts';

/** Sends back what it gets, and ends when its client does. */
let server: Server;
let port: number;
const accepted = new Set<Socket>();
const proxies: FaultProxy[] = [];
const clients: Client[] = [];

beforeEach(async () => {
  server = createServer((socket) => {
    accepted.add(socket);
    socket.on('close', () => accepted.delete(socket));
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  for (const proxy of proxies.splice(0)) await proxy.stop();
  for (const socket of accepted) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

async function start(...toxics: Toxic[]): Promise<FaultProxy> {
  const proxy = await FaultProxy.start({ upstream: { host: '127.0.0.1', port } });
  proxies.push(proxy);
  for (const toxic of toxics) proxy.add(toxic);
  return proxy;
}

/** A client that remembers what came, and how its connection ended. */
interface Client {
  socket: Socket;
  received(): Buffer;
  pieces: Buffer[];
  /** 'end', or the code of the error. */
  ended: Promise<string>;
}

async function client(proxy: FaultProxy): Promise<Client> {
  const socket = connect({ ...proxy.address, noDelay: true });
  const pieces: Buffer[] = [];
  socket.on('data', (data) => pieces.push(data));
  const ended = new Promise<string>((resolve) => {
    socket.once('end', () => resolve('end'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  const made = { socket, pieces, received: () => Buffer.concat(pieces), ended };
  clients.push(made);
  await Promise.race([once(socket, 'connect'), ended]);
  return made;
}

/** Asks again and again; a test that waits in vain ends by its own limit. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(2);
}

async function echoed({ socket, received }: Client, value: Buffer): Promise<void> {
  const before = received().length;
  socket.write(value);
  await until(() => received().length >= before + value.length);
  expect(received().subarray(before).equals(value)).toBe(true);
}

test('without toxics everything goes through, and so does the end of either side', async () => {
  const proxy = await start();
  const one = await client(proxy);
  await echoed(one, bytes(3_000_000));
  expect(proxy.connections).toEqual([{ bytes: { upstream: 3_000_000, downstream: 3_000_000 } }]);
  one.socket.end();
  expect(await one.ended).toBe('end');
  await until(() => proxy.connections.length === 0);
});

test('a client that only ends its sending still gets the rest', async () => {
  const proxy = await start({ type: 'latency', attributes: { latency: 30 } });
  const one = await client(proxy);
  const value = bytes(100_000);
  one.socket.end(value);
  expect(await one.ended).toBe('end');
  expect(one.received().equals(value)).toBe(true);
});

test('latency delays data by no less than it says, and keeps its order', async () => {
  const proxy = await start(
    { type: 'latency', stream: 'upstream', attributes: { latency: 40 } },
    { type: 'latency', stream: 'downstream', attributes: { latency: 40, jitter: 20 } },
  );
  const one = await client(proxy);
  const began = performance.now();
  await echoed(one, bytes(10));
  // Timers of Node may fire a millisecond early.
  expect(performance.now() - began).toBeGreaterThan(40 + 20 - 4);
  for (let i = 0; i < 20; i++) one.socket.write(bytes(1000, i));
  await until(() => one.received().length === 10 + 20_000);
  const expected = Array.from({ length: 20 }, (_, i) => bytes(1000, i));
  expect(one.received().subarray(10).equals(Buffer.concat(expected))).toBe(true);
});

test('bandwidth lets no more through than it says', async () => {
  const proxy = await start({ type: 'bandwidth', attributes: { rate: 100 } });
  const one = await client(proxy);
  const began = performance.now();
  await echoed(one, bytes(20_000));
  expect(performance.now() - began).toBeGreaterThan(200 - 10);
});

test('slow_close delays the end, not the data', async () => {
  const proxy = await start({ type: 'slow_close', attributes: { delay: 50 } });
  const one = await client(proxy);
  await echoed(one, bytes(10));
  const began = performance.now();
  one.socket.end();
  expect(await one.ended).toBe('end');
  expect(performance.now() - began).toBeGreaterThan(50 - 2);
});

test('timeout drops data and closes the connection, not before its time', async () => {
  const proxy = await start({ type: 'timeout', attributes: { timeout: 50 } });
  const began = performance.now();
  const one = await client(proxy);
  one.socket.write(bytes(1000));
  expect(await one.ended).toBe('end');
  expect(performance.now() - began).toBeGreaterThan(50 - 2);
  expect(one.received().length).toBe(0);
  await until(() => proxy.connections.length === 0);
});

test('timeout 0 drops data until it is removed, and then closes what has lost some', async () => {
  const proxy = await start();
  const [one, other] = [await client(proxy), await client(proxy)];
  await echoed(one, bytes(10));
  await echoed(other, bytes(10));
  proxy.add({ type: 'timeout', attributes: { timeout: 0 } });
  one.socket.write(bytes(10));
  // What came to the server has come back to the proxy, or never does.
  await until(() => proxy.connections[0]?.bytes.upstream === 20);
  // Time for it to come through, which it must not.
  await sleep(20);
  expect(one.received().length).toBe(10);
  await proxy.remove('timeout_downstream');
  expect(await one.ended).toBe('end');
  await echoed(other, bytes(10, 2));
});

test('reset_peer resets the connection when data comes', async () => {
  const proxy = await start({ type: 'reset_peer', attributes: { timeout: 0 } });
  const one = await client(proxy);
  one.socket.write(bytes(10));
  expect(await one.ended).toBe('ECONNRESET');
  expect(one.received().length).toBe(0);
});

test('slicer passes everything on in small pieces', async () => {
  const proxy = await start({
    type: 'slicer',
    stream: 'upstream',
    attributes: { average_size: 50, size_variation: 20, delay: 1000 },
  });
  const sizes: number[] = [];
  server.on('connection', (socket: Socket) => socket.on('data', ({ length }) => sizes.push(length)));
  const one = await client(proxy);
  await echoed(one, bytes(2000));
  expect(sizes.length).toBeGreaterThan(1);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(2000);
});

test('limit_data passes as many bytes on as it says, and closes then', async () => {
  const proxy = await start({ type: 'limit_data', attributes: { bytes: 1234 } });
  const one = await client(proxy);
  const value = bytes(100_000);
  one.socket.write(value.subarray(0, 1000));
  await until(() => one.received().length === 1000);
  one.socket.write(value.subarray(1000));
  await one.ended;
  expect(one.received().equals(value.subarray(0, 1234))).toBe(true);
  await until(() => proxy.connections.length === 0);
});

test('limit_data upstream does so to what the server gets', async () => {
  const proxy = await start({ type: 'limit_data', stream: 'upstream', attributes: { bytes: 1234 } });
  const pieces: Buffer[] = [];
  server.on('connection', (socket: Socket) => socket.on('data', (data) => pieces.push(data)));
  const one = await client(proxy);
  const value = bytes(100_000);
  one.socket.write(value);
  await one.ended;
  await until(() => accepted.size === 0);
  expect(Buffer.concat(pieces).equals(value.subarray(0, 1234))).toBe(true);
});

test('garbage changes every byte, or the share that it says', async () => {
  const proxy = await start({ type: 'garbage', attributes: {} });
  const one = await client(proxy);
  const value = bytes(10_000);
  one.socket.write(value);
  await until(() => one.received().length === value.length);
  expect(one.received().some((byte, i) => byte === value[i])).toBe(false);
  await proxy.remove('garbage_downstream');
  expect(await one.ended).toBe('end');

  proxy.add({ type: 'garbage', stream: 'upstream', attributes: { share: 0.1 } });
  const other = await client(proxy);
  other.socket.write(value);
  await until(() => other.received().length === value.length);
  const changed = other.received().filter((byte, i) => byte !== value[i]).length;
  expect(changed).toBeGreaterThan(0);
  expect(changed).toBeLessThan(value.length / 2);
});

test('toxics that are added and removed hold for open connections; what one held goes on at once', async () => {
  const proxy = await start();
  const one = await client(proxy);
  await echoed(one, bytes(10));
  const name = proxy.add({ name: 'slow', type: 'latency', attributes: { latency: 1e9 } });
  expect(name).toBe('slow');
  expect(proxy.toxics).toEqual([{ name: 'slow', type: 'latency', attributes: { latency: 1e9 } }]);
  const value = bytes(100_000, 3);
  one.socket.write(value);
  await until(() => proxy.connections[0]?.bytes.upstream === 100_010);
  expect(one.received().length).toBe(10);
  await proxy.remove('slow');
  await until(() => one.received().length === 100_010);
  expect(one.received().subarray(10).equals(value)).toBe(true);
  await echoed(one, bytes(10, 4));
  expect(proxy.toxics).toEqual([]);
});

test('data goes through toxics one after the other', async () => {
  const proxy = await start(
    { type: 'slicer', attributes: { average_size: 10 } },
    { type: 'limit_data', attributes: { bytes: 95 } },
    { type: 'latency', attributes: { latency: 20 } },
    { type: 'slow_close', attributes: { delay: 10 } },
  );
  const one = await client(proxy);
  one.socket.write(bytes(1000));
  expect(await one.ended).toBe('end');
  expect(one.received().equals(bytes(1000).subarray(0, 95))).toBe(true);
});

test('toxicity spares connections by chance, each as a whole', async () => {
  const draws = [0.9, 0.1];
  const proxy = await FaultProxy.start({
    upstream: { host: '127.0.0.1', port },
    random: () => draws.shift() ?? 0.5,
  });
  proxies.push(proxy);
  proxy.add({ type: 'limit_data', toxicity: 0.5, attributes: { bytes: 0 } });
  const spared = await client(proxy);
  await echoed(spared, bytes(1000));
  const hit = await client(proxy);
  hit.socket.write(bytes(10));
  expect(await hit.ended).toBe('end');
  await echoed(spared, bytes(1000, 2));
});

test('down refuses and closes connections, up listens on the same port again', async () => {
  const proxy = await start();
  const one = await client(proxy);
  await echoed(one, bytes(10));
  const { address } = proxy;
  await proxy.down();
  await one.ended;
  expect(proxy.connections).toEqual([]);
  expect(await (await client(proxy)).ended).toBe('ECONNREFUSED');
  await proxy.up();
  expect(proxy.address).toEqual(address);
  await echoed(await client(proxy), bytes(10, 2));
});

test('all connections can be closed at once; new ones are good', async () => {
  const proxy = await start();
  const some = [await client(proxy), await client(proxy)];
  for (const each of some) await echoed(each, bytes(10));
  proxy.closeConnections();
  for (const { ended } of some) await ended;
  await echoed(await client(proxy), bytes(10));
  await until(() => proxy.connections.length === 1);
});

test('a server that is not there ends the client’s connection', async () => {
  const proxy = await start();
  await new Promise((resolve) => server.close(resolve));
  const one = await client(proxy);
  await one.ended;
  await until(() => proxy.connections.length === 0);
  server = createServer().listen(0, '127.0.0.1');
});

test('a client that is gone is gone for the server too, whatever is held back', async () => {
  const proxy = await start({ type: 'latency', attributes: { latency: 1e9 } });
  const one = await client(proxy);
  one.socket.write(bytes(10));
  await until(() => proxy.connections[0]?.bytes.upstream === 10);
  one.socket.destroy();
  await until(() => accepted.size === 0);
  await proxy.removeAll();
  await until(() => proxy.connections.length === 0);
});

test('no more is taken from a client than goes on, but for a little', async () => {
  const proxy = await start({ type: 'bandwidth', stream: 'upstream', attributes: { rate: 1 } });
  const one = await client(proxy);
  const value = bytes(40_000_000);
  let isTaken = false;
  one.socket.write(value, () => (isTaken = true));
  await until(() => (proxy.connections[0]?.bytes.upstream ?? 0) > 100);
  expect(isTaken).toBe(false);
  await proxy.removeAll();
  await until(() => one.pieces.reduce((sum, { length }) => sum + length, 0) === value.length);
  expect(one.received().equals(value)).toBe(true);
});

test.each([
  [{ type: 'nothing', attributes: {} }, "There is no toxic 'nothing'."],
  [{ type: 'latency', attributes: { latency: -1 } }, "'latency' of latency must be a number"],
  [{ type: 'latency', attributes: { lateness: 1 } }, "latency has no attribute 'lateness'."],
  [{ type: 'latency', attributes: {} }, "'latency' of latency is required."],
  [{ type: 'bandwidth', attributes: { rate: 0 } }, "'rate' of bandwidth must be more than 0."],
  [{ type: 'slicer', attributes: { size_variation: 1 } }, "'average_size' of slicer is required."],
  [{ type: 'timeout', toxicity: 2, attributes: { timeout: 0 } }, 'toxicity must be between 0 and 1.'],
  [{ type: 'garbage', attributes: { share: Number.NaN } }, "'share' of garbage must be a number"],
])('%j is refused', async (toxic, message) => {
  const proxy = await start();
  expect(() => proxy.add(toxic as unknown as Toxic)).toThrow(message);
  expect(proxy.toxics).toEqual([]);
});

test('two toxics of one name are refused, and one that is not there cannot be removed', async () => {
  const proxy = await start({ type: 'latency', attributes: { latency: 1 } });
  expect(() => proxy.add({ type: 'latency', attributes: { latency: 2 } })).toThrow(
    "There is a toxic 'latency_downstream' already.",
  );
  await expect(proxy.remove('latency_upstream')).rejects.toThrow("There is no toxic 'latency_upstream'.");
});
