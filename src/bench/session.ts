import { type Random, random } from '../models/random.ts';
import type { AnswerStream } from './answer-stream.ts';
import { type Address, streamAnswer, Unanswered } from './completion-client.ts';
import { IdealCache, reusable } from './ideal-cache.ts';
import type { Recorded } from './records.ts';
import type { Served } from './served.ts';
import { textOf } from './vocabulary.ts';
import type { Bench, Part, Question, Reply } from './workload.ts';

const WARM_UP = { prompt: 32, output: 4 };

export interface SessionOptions {
  address(): Address;
  served: Served;
  /** All chance comes from it. */
  seed: string;
  requestSeconds: number;
  signal: AbortSignal;
  restart: (() => Promise<void>) | undefined;
  onProgress(progress: { done: number; expected: number; failed: number }): void;
}

/** One run of a workload on one server: asks, and keeps what came of it beside what could have been. */
export class Session implements Bench {
  readonly signal: AbortSignal;
  readonly restart: (() => Promise<void>) | undefined;
  readonly findings: Record<string, number> = {};
  readonly #options: SessionOptions;
  readonly #ideal = new IdealCache();
  readonly #parts = new Map<string, Recorded>();
  #exact: boolean;
  #done = 0;
  #expected = 0;
  #failed = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.signal = options.signal;
    this.restart = options.restart;
    this.#exact = options.served.vocabulary.exact;
  }

  get parts(): Recorded[] {
    return [...this.#parts.values()];
  }

  /** Whether the server has told all tokens so far. */
  get exactTokens(): boolean {
    return this.#exact;
  }

  random(name: string): Random {
    return random(`${this.#options.seed}: ${name}`);
  }

  text(name: string, tokens: number): number[] {
    return textOf(this.#options.served.vocabulary, `${this.#options.seed}: text ${name}`, tokens);
  }

  expect(requests: number): void {
    this.#expected += requests;
    this.#progress();
  }

  found(name: string, value: number): void {
    this.findings[name] = value;
  }

  /** The first request finds memory that was never used, and connections that are not open: it is not measured. */
  async warmUp(): Promise<void> {
    const prompt = this.text('warm-up', WARM_UP.prompt);
    await this.#ask(
      { prompt, output: WARM_UP.output },
      { name: '', decoding: false, answered: [], failed: [] },
    );
  }

  part(name: string, decoding = false): Part {
    const part = this.#parts.get(name) ?? { name, decoding, answered: [], failed: [] };
    this.#parts.set(name, part);
    return {
      ask: async (question) => {
        const reply = await this.#ask(question, part);
        this.#done++;
        if (!reply) this.#failed++;
        this.#progress();
        return reply;
      },
    };
  }

  async #ask({ prompt, output }: Question, part: Recorded): Promise<Reply | undefined> {
    const { served, requestSeconds, address } = this.#options;
    const { dialect, vocabulary } = served;
    const known = reusable(this.#ideal.known(prompt), prompt.length);
    // Those that are asked at the same time need not compute it again.
    this.#ideal.add(prompt);
    const body = dialect.body(vocabulary.toPrompt(prompt), output);
    const limits = { seconds: requestSeconds, signal: this.signal };
    const asked = performance.now();
    try {
      const answer = await streamAnswer(address(), dialect.route, body, limits);
      const ended = performance.now();
      const { arrivals, gaps, usage, timings } = answer;
      const promptTokens = vocabulary.exact ? prompt.length : (usage?.prompt_tokens ?? prompt.length);
      const outputTokens = usage?.completion_tokens ?? timings?.predicted_n ?? arrivals.length;
      part.answered.push({
        asked,
        arrivals,
        ended,
        gaps,
        promptTokens,
        outputTokens,
        askedTokens: output,
        cached: dialect.cached(answer, promptTokens),
        tiers: usage?.prompt_tokens_details?.cached_tokens_details ?? undefined,
        // Words stand for tokens where these are not known.
        reusable: Math.round((known * promptTokens) / prompt.length),
      });
      const history = [...prompt, ...(await this.#tokensOf(answer, outputTokens))];
      // The last token of an answer is not computed: nothing followed it.
      this.#ideal.add(history.slice(0, -1));
      return { history, firstToken: arrivals[0] === undefined ? undefined : arrivals[0] - asked };
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      part.failed.push(error.message);
      return undefined;
    }
  }

  async #tokensOf({ text, ids }: AnswerStream, outputTokens: number): Promise<readonly number[]> {
    const { vocabulary, tokenize } = this.#options.served;
    if (!vocabulary.exact || ids.length === outputTokens) return vocabulary.ofAnswer(text, ids);
    // It does not tell what it answered, or not all of it: the same text may be other tokens.
    this.#exact = false;
    return (await tokenize(text)) ?? ids;
  }

  #progress(): void {
    this.#options.onProgress({ done: this.#done, expected: this.#expected, failed: this.#failed });
  }
}
