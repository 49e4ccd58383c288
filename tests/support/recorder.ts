import type { TokenLogprobs } from '../../src/engine/engine.ts';
import type { VirtualClock } from '../../src/engine/simulated/virtual-clock.ts';
import type { SchedulerOutput, StopToken } from '../../src/scheduler/output.ts';
import type { Failure } from '../../src/shared/errors.ts';
import type { CachedTokens } from '../../src/shared/messages.ts';

export interface Ending {
  reason: 'stop' | 'length';
  stop: number | undefined;
}

/** Everything that one request was told. */
export class Told {
  started: CachedTokens[] = [];
  tokens: number[] = [];
  logprobs: (TokenLogprobs | null)[] = [];
  ended: Ending[] = [];
  stops: (StopToken | undefined)[] = [];
  failures: Failure[] = [];
  /** Virtual time of each token. */
  at: number[] = [];
  aborted = false;
}

export class Recorder implements SchedulerOutput {
  readonly #clock: VirtualClock;
  readonly #told = new Map<number, Told>();
  /** Requests named by each call of {@link tokens}. */
  readonly messages: number[][] = [];
  /** What a scheduler must not say. Thrown errors would be the scheduler's to handle, so they are kept. */
  readonly violations: string[] = [];
  onStarted: ((id: number, cached: CachedTokens) => void) | undefined;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  of(id: number): Told {
    const told = this.#told.get(id) ?? new Told();
    this.#told.set(id, told);
    return told;
  }

  started(id: number, cached: CachedTokens): void {
    const told = this.#hear(id);
    if (told.tokens.length > 0) this.violations.push(`${id} got tokens before it started`);
    told.started.push(cached);
    this.onStarted?.(id, cached);
  }

  tokens(ids: Int32Array, tokens: Int32Array, logprobs: (TokenLogprobs | null)[] | undefined): void {
    const lengths = [tokens.length, logprobs?.length ?? ids.length];
    if (lengths.some((length) => length !== ids.length)) this.violations.push('arrays are not parallel');
    this.messages.push([...ids]);
    for (const [i, id] of ids.entries()) {
      const told = this.#hear(id);
      if (told.started.length !== 1) this.violations.push(`${id} started ${told.started.length} times`);
      told.tokens.push(tokens[i]!);
      told.logprobs.push(logprobs?.[i] ?? null);
      told.at.push(this.#clock.now());
    }
  }

  finished(id: number, reason: 'stop' | 'length', stop: StopToken | undefined): void {
    const told = this.#hear(id);
    told.ended.push({ reason, stop: stop?.token });
    told.stops.push(stop);
  }

  failed(id: number, failure: Failure): void {
    this.#hear(id).failures.push(failure);
  }

  #hear(id: number): Told {
    const told = this.of(id);
    if (told.ended.length + told.failures.length > 0) this.violations.push(`${id} heard more after its end`);
    if (told.aborted) this.violations.push(`${id} heard more after it was aborted`);
    return told;
  }
}
