import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameDecoder, MAX_FRAME_BYTES } from '../../src/transport/frames.ts';

function decode(stream: Buffer, cuts: number[]): unknown[] {
  const decoder = new FrameDecoder();
  const messages: unknown[] = [];
  const borders = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
  for (let i = 1; i < borders.length; i++) {
    messages.push(...decoder.push(stream.subarray(borders[i - 1], borders[i])));
  }
  return messages;
}

const MESSAGES = [
  { type: 'tokens', ids: Int32Array.of(1, -2, 2 ** 31 - 1), tokens: new Int32Array() },
  'Grüße 東京',
  Int32Array.of(-1, 0, 2 ** 31 - 1),
  new Int32Array(),
  { nested: [{ a: 1.5, b: null, c: undefined, d: true }], bytes: Uint8Array.of(1, 2, 3) },
  0,
];

describe('frames', () => {
  it('are found wherever the stream is cut in two', () => {
    const stream = Buffer.concat(MESSAGES.map(encodeFrame));
    for (let cut = 0; cut <= stream.length; cut++) expect(decode(stream, [cut])).toEqual(MESSAGES);
  });

  it('are found when every byte comes alone, and when all come together', () => {
    const stream = Buffer.concat(MESSAGES.map(encodeFrame));
    const everywhere = Array.from({ length: stream.length }, (_, i) => i);
    expect(decode(stream, everywhere)).toEqual(MESSAGES);
    expect(decode(stream, [])).toEqual(MESSAGES);
  });

  it('carry any values through any cuts', () => {
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.int32Array(),
      fc.uint8Array({ maxLength: 300 }),
      fc.string({ unit: 'binary' }),
      fc.record({ id: fc.nat(), tokens: fc.int32Array(), float: fc.double() }),
    );
    fc.assert(
      fc.property(fc.array(value, { maxLength: 6 }), fc.infiniteStream(fc.nat()), (messages, numbers) => {
        const stream = Buffer.concat(messages.map(encodeFrame));
        const cuts = [...numbers.take(8)].map((number) => number % (stream.length + 1));
        // What comes back is what the structured clone algorithm makes of it; -0 is its own number there.
        expect(decode(stream, cuts)).toEqual(messages.map((message) => structuredClone(message)));
      }),
      { numRuns: 300 },
    );
  });

  it('that claim too much are refused before anything is kept for them', () => {
    const header = Buffer.alloc(8);
    header.writeUInt32LE(MAX_FRAME_BYTES + 1);
    expect(() => [...new FrameDecoder().push(header)]).toThrow(`claims ${MAX_FRAME_BYTES + 1} bytes`);
    header.writeUInt32LE(0xffffffff);
    expect(() => [...new FrameDecoder().push(header)]).toThrow(RangeError);
  });

  it('of no known kind, or of integers that are cut, are refused', () => {
    const frame = encodeFrame(Int32Array.of(1, 2));
    frame.writeUInt32LE(2, 4);
    expect(() => decode(frame, [])).toThrow('of kind 2');
    const cut = encodeFrame(Int32Array.of(1, 2)).subarray(0, -1);
    cut.writeUInt32LE(7, 0);
    expect(() => decode(cut, [])).toThrow(RangeError);
  });

  it('that hold nothing, or nothing sensible, are refused after the messages before them', () => {
    for (const payload of [Buffer.alloc(0), Buffer.from('hello world'), Buffer.alloc(20, 0xff)]) {
      const header = Buffer.alloc(8);
      header.writeUInt32LE(payload.length);
      const stream = Buffer.concat([encodeFrame('first'), header, payload]);
      const messages = new FrameDecoder().push(stream);
      expect(messages.next()).toEqual({ value: 'first', done: false });
      expect(() => messages.next()).toThrow();
    }
  });

  it('are not made of what cannot be copied', () => {
    expect(() => encodeFrame({ callback: () => undefined })).toThrow('could not be cloned');
  });
});
