import type { Socket } from 'node:net';
import { effectOf, type Item } from './effects.ts';
import { Stage } from './stage.ts';
import type { Toxic } from './toxics.ts';

/** Bytes that wait in one direction before no more are read. */
const MOST_WAITING = 256 * 1024;

/** What toxics may do to a whole connection. */
export interface Ending {
  /** Closes it when what was passed on has been written. */
  close(): void;
  /** Closes it at once with RST. */
  reset(): void;
}

/** One direction of a connection: what comes from a socket goes through the toxics to another one. */
export class Link {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #ending: Ending;
  readonly #random: () => number;
  #stages: { toxic: Toxic; stage: Stage }[] = [];
  /** That have been passed on. */
  bytes = 0;

  constructor(from: Socket, to: Socket, ending: Ending, random: () => number) {
    this.#from = from;
    this.#to = to;
    this.#ending = ending;
    this.#random = random;
    from.on('data', (data) => {
      this.#enter(0, data);
      this.#balance();
    });
    from.on('end', () => this.#enter(0, 'end'));
    to.on('drain', () => this.#balance());
  }

  /** Puts a toxic at the end of the way, unless chance spares this connection. */
  add(toxic: Toxic): void {
    if (this.#random() >= (toxic.toxicity ?? 1)) return;
    const controller = new AbortController();
    const entry = { toxic } as { toxic: Toxic; stage: Stage };
    const after = (item: Item) => this.#enter(this.#stages.indexOf(entry) + 1, item);
    const effect = effectOf(toxic, {
      pass: after,
      reset: () => this.#ending.reset(),
      random: this.#random,
      removed: controller.signal,
    });
    entry.stage = new Stage(effect, after, controller, () => this.#balance());
    this.#stages.push(entry);
  }

  /** Takes a toxic away. What it holds goes on at once. */
  async remove(toxic: Toxic): Promise<void> {
    const entry = this.#stages.find((each) => each.toxic === toxic);
    if (!entry) return;
    await entry.stage.stop();
    this.#stages = this.#stages.filter((each) => each !== entry);
  }

  /** Ends what toxics wait for. */
  destroy(): void {
    for (const { stage } of this.#stages) stage.destroy();
  }

  #enter(at: number, item: Item): void {
    const next = this.#stages[at];
    if (next) return next.stage.push(item);
    if (item === 'close') return this.#ending.close();
    if (this.#to.destroyed || this.#to.writableEnded) return;
    if (item === 'end') return void this.#to.end();
    this.bytes += item.byteLength;
    this.#to.write(item);
  }

  #balance(): void {
    const waiting = this.#stages.reduce((sum, { stage }) => sum + stage.bytes, this.#to.writableLength);
    if (waiting > MOST_WAITING) this.#from.pause();
    else if (this.#from.isPaused()) this.#from.resume();
  }
}
