import type { TokenLogprobs } from '../engine/engine.ts';
import type { SchedulerOutput, StopToken } from './output.ts';

/** Gathers what one step produced, so that it leaves as one message. Its buffers are reused by every step. */
export class StepOutput {
  readonly #ids: Int32Array;
  readonly #tokens: Int32Array;
  readonly #logprobs: (TokenLogprobs | null)[] = [];
  readonly #finished: { id: number; reason: 'stop' | 'length'; stop: StopToken | undefined }[] = [];
  #size = 0;
  #anyLogprobs = false;

  constructor(capacity: number) {
    this.#ids = new Int32Array(capacity);
    this.#tokens = new Int32Array(capacity);
  }

  add(id: number, token: number, logprobs: TokenLogprobs | null): void {
    this.#ids[this.#size] = id;
    this.#tokens[this.#size] = token;
    this.#size++;
    this.#logprobs.push(logprobs);
    if (logprobs) this.#anyLogprobs = true;
  }

  finish(id: number, reason: 'stop' | 'length', stop: StopToken | undefined): void {
    this.#finished.push({ id, reason, stop });
  }

  /** Sends everything and empties itself. */
  flush(output: SchedulerOutput): void {
    if (this.#size > 0) {
      const logprobs = this.#anyLogprobs ? [...this.#logprobs] : undefined;
      output.tokens(this.#ids.slice(0, this.#size), this.#tokens.slice(0, this.#size), logprobs);
    }
    for (const { id, reason, stop } of this.#finished) output.finished(id, reason, stop);
    this.#size = 0;
    this.#logprobs.length = 0;
    this.#finished.length = 0;
    this.#anyLogprobs = false;
  }
}
