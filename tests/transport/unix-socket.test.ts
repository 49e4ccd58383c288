import { existsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeFrame } from '../../src/transport/frames.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { connectToServer, listenForRank } from '../../src/transport/unix-socket.ts';

const never = new AbortController().signal;
const open: Transport[] = [];
afterEach(() => {
  for (const transport of open.splice(0)) transport.close();
});

async function pair(): Promise<{ server: Transport; rank: Transport }> {
  const listener = await listenForRank();
  const [server, rank] = await Promise.all([listener.accept(never), connectToServer(listener.address)]);
  open.push(server, rank);
  return { server, rank };
}

/** Collects messages; resolves when so many have come. */
function collect(transport: Transport, count: number): Promise<unknown[]> {
  return new Promise((resolve) => {
    const messages: unknown[] = [];
    transport.onMessage((message) => {
      messages.push(message);
      if (messages.length === count) resolve(messages);
    });
  });
}

/** Why it was closed, once it is. */
const closed = (transport: Transport) =>
  new Promise<Error | undefined>((resolve) => transport.onClose(resolve));

describe('a connection', () => {
  it('carries messages both ways, in order', async () => {
    const { server, rank } = await pair();
    const numbers = Array.from({ length: 500 }, (_, i) => i);
    const there = collect(rank, 500);
    const back = collect(server, 500);
    for (const number of numbers) {
      server.send({ number });
      rank.send({ number: -number });
    }
    expect(await there).toEqual(numbers.map((number) => ({ number })));
    expect(await back).toEqual(numbers.map((number) => ({ number: -number })));
  });

  it('carries large messages whole, and typed arrays as what they are', async () => {
    const { server, rank } = await pair();
    const tokens = Int32Array.from({ length: 2_000_000 }, (_, i) => i * 7919);
    const received = collect(rank, 3);
    server.send('before');
    server.send({ tokens, bytes: new Uint8Array(3) });
    server.send('after');
    const [before, message, after] = await received;
    expect([before, after]).toEqual(['before', 'after']);
    const { tokens: got, bytes } = message as { tokens: Int32Array; bytes: Uint8Array };
    expect(got).toBeInstanceOf(Int32Array);
    expect(bytes).toBeInstanceOf(Uint8Array);
    expect(
      Buffer.compare(Buffer.from(got.buffer, got.byteOffset, got.byteLength), Buffer.from(tokens.buffer)),
    ).toBe(0);
  });

  it('keeps what comes before somebody listens', async () => {
    const { server, rank } = await pair();
    server.send(1);
    server.send(2);
    // A message back: the first two are there by now.
    const answered = collect(server, 1);
    rank.send('ping');
    await answered;
    expect(await collect(rank, 2)).toEqual([1, 2]);
  });

  it('is gone for both when either closes it', async () => {
    for (const side of ['server', 'rank'] as const) {
      const both = await pair();
      for (const transport of [both.server, both.rank]) transport.onMessage(() => undefined);
      const gone = Promise.all([closed(both.server), closed(both.rank)]);
      both[side].close();
      expect(await gone).toEqual([undefined, undefined]);
      // Nobody hears it, and nothing is thrown.
      both.server.send('late');
      both.rank.send('late');
      both.server.close();
    }
  });

  it('delivers what was sent before the other side ended its process', async () => {
    const listener = await listenForRank();
    const accepting = listener.accept(never);
    const rank = connect(listener.address);
    const server = await accepting;
    open.push(server);
    const received = collect(server, 1);
    const gone = closed(server);
    rank.end(encodeFrame('last words'));
    expect(await received).toEqual(['last words']);
    await gone;
  });

  it('is closed when what comes is no message', async () => {
    const listener = await listenForRank();
    const accepting = listener.accept(never);
    const rank = connect(listener.address);
    const server = await accepting;
    open.push(server);
    const heard: unknown[] = [];
    server.onMessage((message) => heard.push(message));
    const gone = closed(server);
    rank.write('GET / HTTP/1.1\r\n\r\n');
    expect(await gone).toBeInstanceOf(RangeError);
    expect(heard).toEqual([]);
    rank.destroy();
  });

  it('is closed when its listener throws', async () => {
    const { server, rank } = await pair();
    server.onMessage(() => {
      throw new Error('not a message of this version');
    });
    rank.onMessage(() => undefined);
    const gone = Promise.all([closed(server), closed(rank)]);
    rank.send('hello');
    const [error] = await gone;
    expect(error?.message).toBe('not a message of this version');
  });
});

describe('listening', () => {
  it('happens in a folder that only this user can enter, and that is gone afterwards', async () => {
    const listener = await listenForRank();
    const folder = path.dirname(listener.address);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const [server, rank] = await Promise.all([listener.accept(never), connectToServer(listener.address)]);
    open.push(server, rank);
    expect(existsSync(folder)).toBe(false);
  });

  it('takes a rank that connects before it is accepted', async () => {
    const listener = await listenForRank();
    const rank = await connectToServer(listener.address);
    // The listening side has seen the connection when the loop has turned.
    await new Promise(setImmediate);
    const server = await listener.accept(AbortSignal.timeout(5000));
    open.push(server, rank);
    const received = collect(server, 1);
    rank.send('hello');
    expect(await received).toEqual(['hello']);
  });

  it('takes one rank only', async () => {
    const listener = await listenForRank();
    const first = await connectToServer(listener.address);
    const second = connect(listener.address);
    second.on('error', () => undefined);
    const refused = new Promise((resolve) => second.once('close', resolve));
    second.resume();
    const server = await listener.accept(never);
    open.push(server, first);
    await refused;
    const received = collect(server, 1);
    first.send('hello');
    expect(await received).toEqual(['hello']);
  });

  it('ends when it is aborted, before or while it waits', async () => {
    for (const early of [true, false]) {
      const listener = await listenForRank();
      const controller = new AbortController();
      if (early) controller.abort(new Error('no rank came'));
      const accepting = listener.accept(controller.signal);
      if (!early) controller.abort(new Error('no rank came'));
      await expect(accepting).rejects.toThrow('no rank came');
      expect(existsSync(path.dirname(listener.address))).toBe(false);
      await expect(connectToServer(listener.address)).rejects.toMatchObject({ code: 'ENOENT' });
    }
  });
});
