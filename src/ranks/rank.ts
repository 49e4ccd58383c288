import type { Logger } from 'pino';
import type { ModelInfo, TokenLogprobs } from '../engine/engine.ts';
import { systemClock } from '../shared/clock.ts';
import { Failure, failure, isErrorCode } from '../shared/errors.ts';
import {
  type CachedTokens,
  type CacheOptions,
  type FinishedMessage,
  type FromRankMessage,
  type GenerateMessage,
  type MetricSnapshot,
  parseFromRank,
  type RankReport,
  type SchedulerLimits,
  type ToRankMessage,
} from '../shared/messages.ts';
import type { StorageAnswer, StorageRequest } from '../shared/storage-messages.ts';
import type { Transport } from '../transport/transport.ts';
import { listenForRank } from '../transport/unix-socket.ts';
import { type CallAnswer, RankCalls } from './rank-calls.ts';
import { RankChild } from './rank-child.ts';

const CONNECT_DEADLINE_MS = 30_000;
const CALL_DEADLINE_MS = 2_000;
const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 30_000;
/** A rank that served this long was healthy: its next restart does not wait longer than the first. */
const HEALTHY_MS = 60_000;
/** A rank that holds requests and says nothing for so long is asked whether it is there, */
const SILENCE_MS = 20_000;
/** and killed when it does not answer by then: something that never returns blocks its thread. */
const ANSWER_MS = 10_000;

/** Where one request's results go. It ends with exactly one `finished` or `failed`. */
export interface AnswerListener {
  started(cached: CachedTokens): void;
  token(token: number, logprobs: TokenLogprobs | null): void;
  finished(message: FinishedMessage): void;
  failed(failure: Failure): void;
}

export interface RankOptions {
  engine: Extract<ToRankMessage, { type: 'start' }>['engine'];
  limits: SchedulerLimits;
  /** As they are in effect when a process starts. */
  cache: () => CacheOptions;
  /** Brings a rank that has loaded its model to what the others do, and calls `ready` when it may serve. Never rejects. */
  join: (rank: Rank, ready: () => void) => Promise<void>;
  log: Logger;
  onProgress?: (fraction: number) => void;
  /** Told which pages the rank holds. */
  pages?: PageListener;
}

/** Hears of the pages that ranks hold, in L1 or L2. */
interface PageListener {
  stored(rank: number, keys: readonly string[]): void;
  removed(rank: number, keys: readonly string[]): void;
  /** The rank holds nothing any more. */
  cleared(rank: number): void;
}

/** What a rank is when it can serve. */
export interface RankInfo {
  model: ModelInfo;
  /** Bytes of a page of KV; 0 where KV has no pages. */
  pageBytes: number;
}

type State = 'starting' | 'ready' | 'down' | 'stopped';

/**
 * One rank as the server sees it: its process, started again with backoff whenever it dies, and the requests that
 * it holds. When it dies, they end with `rank_lost`.
 */
export class Rank {
  readonly index: number;
  readonly #options: RankOptions;
  readonly #log: Logger;
  readonly #answers = new Map<number, AnswerListener>();
  readonly #calls: RankCalls;
  readonly #ended = new AbortController();
  #state: State = 'starting';
  #child: RankChild | undefined;
  #transport: Transport | undefined;
  #silence: NodeJS.Timeout | undefined;
  #restarts = 0;

  constructor(index: number, options: RankOptions) {
    this.index = index;
    this.#calls = new RankCalls(index);
    this.#options = options;
    this.#log = options.log.child({ rank: index });
  }

  get state(): State {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Requests that it holds. */
  get load(): number {
    return this.#answers.size;
  }

  /** Starts the process and loads the model. Rejects with the reason when it cannot serve; then it is not retried. */
  async start(): Promise<RankInfo> {
    try {
      const { info, gone } = await this.#launch();
      void this.#keepAlive(gone);
      return info;
    } catch (error) {
      this.#state = 'stopped';
      this.#child?.kill();
      throw error;
    }
  }

  /** Hands a request over. The listener hears of it, also when the rank is down. */
  generate(message: Omit<GenerateMessage, 'type'>, listener: AnswerListener): void {
    if (this.#state !== 'ready') {
      listener.failed(failure('no_rank', undefined));
      return;
    }
    this.#answers.set(message.id, listener);
    this.#send({ type: 'generate', ...message });
    this.#silence ??= setTimeout(() => void this.#checkAlive(), SILENCE_MS).unref();
  }

  /** The listener hears nothing more. */
  abort(id: number): void {
    if (this.#answers.delete(id)) this.#send({ type: 'abort', id });
  }

  /** What the rank holds now, from the rank itself; rejects with `no_rank` or `deadline_exceeded`. */
  async inspect(deadlineMs: number = CALL_DEADLINE_MS): Promise<RankReport> {
    return (await this.#call('inspect', 'inspected', deadlineMs)).report;
  }

  /** The rank's own metrics; rejects with `no_rank` or `deadline_exceeded`. */
  async scrape(): Promise<MetricSnapshot[]> {
    return (await this.#call('scrape', 'scraped', CALL_DEADLINE_MS)).metrics;
  }

  /** Drops what L1 and L2 hold; false when the rank is not idle. Rejects with `no_rank` or `deadline_exceeded`. */
  async flush(): Promise<boolean> {
    return (await this.#call('flush', 'flushed', CALL_DEADLINE_MS)).done;
  }

  /** Asks the rank about its storage, or to change it; rejects with `no_rank`, `rank_failed` or `deadline_exceeded`. */
  async storage(request: StorageRequest, deadlineMs: number): Promise<StorageAnswer> {
    if (!this.#transport) throw failure('no_rank', undefined);
    const { answer } = await this.#calls.call('storage-answered', deadlineMs, (call) =>
      this.#send({ type: 'storage', call, request }),
    );
    return answer;
  }

  /** Ends the process at once; it is started again. */
  restart(reason: string): void {
    this.#log.error({ requests: this.load, reason }, 'the rank is started again');
    this.#child?.kill();
  }

  async #call<T extends CallAnswer['type']>(
    type: 'inspect' | 'scrape' | 'flush',
    answerType: T,
    deadlineMs: number,
  ): Promise<Extract<CallAnswer, { type: T }>> {
    if (this.#state !== 'ready') throw failure('no_rank', undefined);
    return this.#calls.call(answerType, deadlineMs, (call) => this.#send({ type, call }));
  }

  /** Ends the process: by asking, then by killing when it takes longer than the grace period. */
  async stop(graceMs: number): Promise<void> {
    this.#state = 'stopped';
    this.#ended.abort();
    const child = this.#child;
    if (!child?.running) return;
    this.#send({ type: 'stop' });
    const timer = setTimeout(() => child.kill(), graceMs);
    await child.exited;
    clearTimeout(timer);
  }

  async #checkAlive(): Promise<void> {
    this.#silence = undefined;
    if (this.load === 0 || this.#state !== 'ready') return;
    const child = this.#child;
    try {
      await this.inspect(ANSWER_MS);
      this.#silence ??= setTimeout(() => void this.#checkAlive(), SILENCE_MS).unref();
    } catch {
      // A rank that died meanwhile has another process by now, or none.
      if (this.#child !== child || this.#state !== 'ready') return;
      this.restart('it does not answer');
    }
  }

  async #keepAlive(gone: Promise<void>): Promise<void> {
    let backoff = FIRST_BACKOFF_MS;
    let died = gone;
    for (;;) {
      const since = systemClock.now();
      await died;
      if (this.#state === 'stopped') return;
      if (systemClock.now() - since > HEALTHY_MS) backoff = FIRST_BACKOFF_MS;
      await systemClock.sleep(backoff, this.#ended.signal);
      backoff = Math.min(backoff * 2, LONGEST_BACKOFF_MS);
      if (this.#ended.signal.aborted) return;
      this.#restarts++;
      const life = await this.#launch().catch((error: unknown) => {
        if (!this.#ended.signal.aborted) this.#log.error({ err: error }, 'the rank did not come back');
        this.#child?.kill();
      });
      died = life?.gone ?? Promise.resolve();
    }
  }

  /** One life of the process. Resolves when it serves; `gone` when it has ended and its requests are answered. */
  async #launch(): Promise<{ info: RankInfo; gone: Promise<void> }> {
    this.#state = 'starting';
    const listener = await listenForRank();
    const child = new RankChild(listener.address, this.#log);
    this.#child = child;
    const { exited } = child;
    const connecting = AbortSignal.any([AbortSignal.timeout(CONNECT_DEADLINE_MS), abortWhen(exited)]);
    const transport = await listener.accept(connecting).catch((cause: unknown) => {
      throw failure('engine_failed', { reason: this.#whyDied(child) }, { cause });
    });
    this.#transport = transport;
    const gone = Promise.all([
      exited,
      new Promise<void>((resolve) => {
        transport.onClose((error) => {
          if (error && this.#state !== 'stopped')
            this.#log.error({ err: error }, 'the connection to the rank broke');
          resolve();
        });
      }),
    ]).then(() => this.#loseEverything(child));
    const info = await new Promise<RankInfo>((resolve, reject) => {
      const early = { ready: resolve, failed: reject };
      transport.onMessage((message) => this.#receive(parseFromRank(message), early));
      void gone.then(() => reject(failure('engine_failed', { reason: this.#whyDied(child) })));
      const { engine, limits, cache } = this.#options;
      this.#send({ type: 'start', rank: this.index, engine, limits, cache: cache() });
    });
    await this.#options.join(this, () => {
      if (child.running && this.#state === 'starting') this.#state = 'ready';
    });
    return { info, gone };
  }

  #receive(
    message: FromRankMessage,
    early: { ready(info: RankInfo): void; failed(failure: Failure): void },
  ): void {
    this.#silence?.refresh();
    switch (message.type) {
      case 'tokens':
        for (const [i, id] of message.ids.entries()) {
          const token = message.tokens[i];
          if (token !== undefined) this.#answers.get(id)?.token(token, message.logprobs?.[i] ?? null);
        }
        return;
      case 'started':
        return this.#answers.get(message.id)?.started(message.cached);
      case 'finished':
        return this.#takeAnswer(message.id)?.finished(message);
      case 'failed':
        return this.#takeAnswer(message.id)?.failed(fromWire(message));
      case 'inspected':
      case 'scraped':
      case 'flushed':
      case 'storage-answered':
        return this.#calls.answered(message);
      case 'pages':
        this.#options.pages?.stored(this.index, message.stored);
        this.#options.pages?.removed(this.index, message.removed);
        return;
      case 'loading':
        return this.#options.onProgress?.(message.fraction);
      case 'ready':
        return early.ready({ model: message.model, pageBytes: message.pageBytes });
      case 'start-failed':
        return early.failed(fromWire(message));
      default:
        message satisfies never;
    }
  }

  #takeAnswer(id: number): AnswerListener | undefined {
    const listener = this.#answers.get(id);
    this.#answers.delete(id);
    return listener;
  }

  #loseEverything(child: RankChild): void {
    this.#transport = undefined;
    this.#calls.lost();
    this.#options.pages?.cleared(this.index);
    const expected = this.#state === 'stopped';
    if (!expected) {
      this.#state = 'down';
      this.#log.error({ ...child.end, requests: this.#answers.size }, 'the rank died');
    }
    const lost = [...this.#answers.values()];
    this.#answers.clear();
    for (const listener of lost) {
      listener.failed(
        expected ? failure('shutting_down', undefined) : failure('rank_lost', { rank: this.index }),
      );
    }
  }

  #whyDied(child: RankChild): string {
    const { exitCode, signal, lastWords } = child.end;
    const how = signal ?? (exitCode === null ? 'did not connect' : `exit status ${exitCode}`);
    return [`rank ${this.index} did not start (${how})`, ...lastWords].join(' | ');
  }

  #send(message: ToRankMessage): void {
    this.#transport?.send(message);
  }
}

function abortWhen(promise: Promise<void>): AbortSignal {
  const controller = new AbortController();
  void promise.then(() => controller.abort());
  return controller.signal;
}

function fromWire({ code, message }: { code: string; message: string }): Failure {
  return isErrorCode(code) ? new Failure(code, message) : failure('internal', undefined);
}
