import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Toxic } from './toxics.ts';

/** The end of a stream: of this direction, or of the whole connection. */
export type End = 'end' | 'close';

/** What goes through toxics, in order. */
export type Item = Buffer | End;

/** What a toxic does with a stream. Each call ends before the next one begins. */
export interface Effect {
  /** When the toxic is put there. */
  begin?(): void;
  /** @param arrived when the data came, in milliseconds of performance.now */
  data(data: Buffer, arrived: number): Promise<void>;
  end(how: End, arrived: number): Promise<void>;
  /** When the toxic is taken away. */
  removed?(): void;
}

/** Where a toxic’s data goes. */
export interface Way {
  pass(item: Item): void;
  /** Of the whole connection, at once. */
  reset(): void;
  random(): number;
  /** Aborts when the toxic is taken away, or the connection is over. */
  removed: AbortSignal;
}

/** How often a second bandwidth is given out. */
const PORTIONS = 20;

export function effectOf(toxic: Toxic, way: Way): Effect {
  const { removed, random } = way;
  /** Ends early where the toxic is removed. */
  const pause = async (milliseconds: number) => {
    if (milliseconds > 0 && !removed.aborted)
      await sleep(milliseconds, undefined, { signal: removed }).catch(() => {});
  };
  const plain: Effect = { data: async (data) => way.pass(data), end: async (how) => way.pass(how) };

  switch (toxic.type) {
    case 'latency': {
      const { latency, jitter = 0 } = toxic.attributes;
      const late = (arrived: number) => {
        const delay = latency + jitter * (2 * random() - 1);
        return pause(arrived + delay - performance.now());
      };
      return {
        async data(data, arrived) {
          await late(arrived);
          way.pass(data);
        },
        async end(how, arrived) {
          await late(arrived);
          way.pass(how);
        },
      };
    }
    case 'bandwidth': {
      const portion = Math.max(1, Math.floor((toxic.attributes.rate * 1000) / PORTIONS));
      return {
        ...plain,
        async data(data) {
          for (const piece of pieces(data, () => portion)) {
            await pause(piece.byteLength / toxic.attributes.rate);
            way.pass(piece);
          }
        },
      };
    }
    case 'slow_close':
      return {
        ...plain,
        async end(how) {
          await pause(toxic.attributes.delay);
          way.pass(how);
        },
      };
    case 'timeout': {
      let isLost = false;
      return {
        ...plain,
        begin() {
          if (toxic.attributes.timeout === 0) return;
          void pause(toxic.attributes.timeout).then(() => {
            if (!removed.aborted) way.pass('close');
          });
        },
        async data() {
          isLost = true;
        },
        removed() {
          if (isLost) way.pass('close');
        },
      };
    }
    case 'reset_peer':
      return {
        ...plain,
        async data(data) {
          await pause(toxic.attributes.timeout);
          if (removed.aborted) way.pass(data);
          else way.reset();
        },
      };
    case 'slicer': {
      const { average_size: average, size_variation: variation = 0, delay = 0 } = toxic.attributes;
      const size = () => Math.max(1, Math.round(average + variation * (2 * random() - 1)));
      return {
        ...plain,
        async data(data) {
          for (const piece of pieces(data, size)) {
            way.pass(piece);
            // Without any pause the pieces would arrive as one again.
            if (delay > 0) await pause(Math.max(1, delay / 1000));
            else await nextTurn();
          }
        },
      };
    }
    case 'limit_data': {
      let left = toxic.attributes.bytes;
      let isOver = false;
      return {
        ...plain,
        async data(data) {
          if (isOver) return;
          if (left > 0) way.pass(data.subarray(0, left));
          left -= data.byteLength;
          isOver = left <= 0;
          if (isOver) way.pass('close');
        },
      };
    }
    case 'garbage': {
      const { share = 1 } = toxic.attributes;
      let isChanged = false;
      return {
        ...plain,
        async data(data) {
          // A copy: the socket’s buffer is not ours.
          const changed = Buffer.from(data);
          for (let i = 0; i < changed.length; i++) {
            if (random() >= share) continue;
            changed[i] = changed[i]! + 1 + Math.floor(255 * random());
            isChanged = true;
          }
          way.pass(changed);
        },
        removed() {
          if (isChanged) way.pass('close');
        },
      };
    }
  }
}

function* pieces(data: Buffer, size: () => number): Generator<Buffer> {
  for (let at = 0; at < data.byteLength; ) {
    const end = Math.min(data.byteLength, at + size());
    yield data.subarray(at, end);
    at = end;
  }
}
