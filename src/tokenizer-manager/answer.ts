import type { TokenLogprobs, Vocabulary } from '../engine/engine.ts';
import type { AnswerListener } from '../ranks/rank.ts';
import type { Failure } from '../shared/errors.ts';
import type { CachedTokens, FinishedMessage } from '../shared/messages.ts';
import { Wakeup } from '../shared/wakeup.ts';
import { Detokenizer } from './detokenizer.ts';
import { StopStrings } from './stop-strings.ts';

/** A token of an answer. */
export interface AnswerToken {
  id: number;
  logprobs: TokenLogprobs | null;
}

export type FinishReason = 'stop' | 'length' | 'abort';

/** How an answer ended. */
export interface Finish {
  reason: FinishReason;
  /** The stop string or stop token that was met. */
  matched: string | number | undefined;
  /** Every token that was generated, also those that are no part of the text. */
  completionTokens: number;
  /** Prompt tokens that were not computed, by where their KV came from. */
  cached: CachedTokens;
}

/** A part of an answer: the text that is new, the tokens that are new, and in the last part how it ended. */
export interface AnswerPart {
  text: string;
  tokens: AnswerToken[];
  finish: Finish | undefined;
}

export interface AnswerOptions {
  vocabulary: Vocabulary;
  stopStrings: readonly string[];
  minTokens: number;
  /** Whether control tokens are written out. */
  special: boolean;
  /** Whether the stop string or token stays in the text. */
  keepStop: boolean;
  /** Called once, when the answer has ended, however. */
  onEnd(): void;
}

/**
 * One answer on its way from a rank to a client. Tokens become text as they come, whether or not somebody reads;
 * a slow reader holds nothing up and gets larger parts.
 */
export class Answer implements AnswerListener {
  readonly #options: AnswerOptions;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings;
  readonly #wakeup = new Wakeup();
  #text = '';
  #tokens: AnswerToken[] = [];
  #generated = 0;
  #cached: CachedTokens = { device: 0, host: 0, storage: 0 };
  #finish: Finish | undefined;
  #failure: Failure | undefined;

  /** Resolves when the answer has ended, however. */
  readonly ended: Promise<void>;
  readonly #resolveEnded: () => void;

  constructor(options: AnswerOptions) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    this.#options = options;
    this.#detokenizer = new Detokenizer(options.vocabulary, options.special);
    this.#stops = new StopStrings(options.stopStrings);
  }

  /** How it ended; undefined while it goes on, and when it failed. */
  get finish(): Finish | undefined {
    return this.#finish;
  }

  /** The parts in order, the last one with `finish`. Throws when the answer failed. Read once. */
  async *parts(): AsyncGenerator<AnswerPart> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      if (this.#text !== '' || this.#tokens.length > 0 || this.#finish) {
        const part = { text: this.#text, tokens: this.#tokens, finish: this.#finish };
        this.#text = '';
        this.#tokens = [];
        yield part;
        if (part.finish) return;
      } else {
        await this.#wakeup.wait();
      }
    }
  }

  started(cached: CachedTokens): void {
    this.#cached = cached;
  }

  token(id: number, logprobs: TokenLogprobs | null): void {
    if (this.#over) return;
    this.#take(id, logprobs);
    this.#scan(this.#detokenizer.push(id));
    this.#wakeup.signal();
  }

  finished({ reason, stop }: FinishedMessage): void {
    if (this.#over) return;
    if (stop) {
      this.#take(stop.token, stop.logprobs);
      if (this.#options.keepStop) this.#scan(this.#detokenizer.push(stop.token));
    }
    if (!this.#over) this.#scan(this.#detokenizer.end());
    if (this.#over) return;
    this.#text += this.#stops.end();
    this.#end(reason, stop?.token);
  }

  failed(failure: Failure): void {
    if (this.#over) return;
    this.#failure = failure;
    this.#announceEnd();
  }

  /** Ends the answer where it is: the client asked for that. */
  abort(): void {
    if (this.#over) return;
    this.#text += this.#stops.end();
    this.#end('abort', undefined);
  }

  get #over(): boolean {
    return this.#finish !== undefined || this.#failure !== undefined;
  }

  #take(id: number, logprobs: TokenLogprobs | null): void {
    this.#generated++;
    this.#tokens.push({ id, logprobs });
  }

  #scan(text: string): void {
    if (text === '') return;
    if (this.#generated < this.#options.minTokens) {
      this.#text += text;
      return;
    }
    const { text: free, matched } = this.#stops.push(text);
    this.#text += free;
    if (matched === undefined) return;
    if (this.#options.keepStop) this.#text += matched;
    this.#end('stop', matched);
  }

  #end(reason: FinishReason, matched: string | number | undefined): void {
    this.#finish = { reason, matched, completionTokens: this.#generated, cached: this.#cached };
    this.#announceEnd();
  }

  #announceEnd(): void {
    this.#wakeup.signal();
    this.#options.onEnd();
    this.#resolveEnded();
  }
}
