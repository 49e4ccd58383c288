import { setImmediate } from 'node:timers/promises';
import { replaceDescriptorCalls, replaceFileSystem } from './file-system-faults.ts';

interface Waiting {
  at: number;
  begin: () => Promise<void>;
  isWrite: boolean;
}

/**
 * Lets operations of the file system happen one at a time, in an order drawn by chance: most soon after they were
 * asked for, some, writes above all, long after others that were asked for later.
 */
export class Turns {
  readonly #random: () => number;
  readonly #waiting: Waiting[] = [];
  #asked = 0;

  constructor(random: () => number) {
    this.#random = random;
    const inTurn = this.#inTurn.bind(this);
    replaceFileSystem((fs) => ({
      open: inTurn(fs.open),
      readdir: inTurn(fs.readdir as never) as never,
      lstat: inTurn(fs.lstat as never) as never,
      stat: inTurn(fs.stat as never) as never,
      rename: inTurn(fs.rename),
      unlink: inTurn(fs.unlink),
    }));
    replaceDescriptorCalls((fs) => ({ open: inTurn(fs.open), writev: inTurn(fs.writev, true) }));
  }

  /** Gives turns until the work is done, which is the end of this; tells of each after which there are more bytes. */
  async run(work: Promise<unknown>, written: () => void): Promise<void> {
    let isDone = false;
    const done = work.finally(() => (isDone = true));
    while (!isDone) {
      this.#waiting.sort((a, b) => a.at - b.at);
      const next = this.#waiting.shift();
      if (next) {
        await next.begin();
        if (next.isWrite) written();
      }
      await setImmediate();
    }
    await done;
    replaceFileSystem((fs) => fs);
    replaceDescriptorCalls((fs) => fs);
  }

  #inTurn<A extends unknown[], R>(
    operation: (...args: A) => Promise<R>,
    isWrite = false,
  ): (...args: A) => Promise<R> {
    return (...args) => {
      const { promise, resolve, reject } = Promise.withResolvers<R>();
      const late = this.#random() < (isWrite ? 0.5 : 0.05) ? 300 : 10;
      const begin = () => operation(...args).then(resolve, reject);
      this.#waiting.push({ at: this.#asked++ + late * this.#random(), begin, isWrite });
      return promise;
    };
  }
}
