import { ask, timeToFirstToken } from './client.ts';
import { uniquePrompt } from './prompts.ts';

/** A time between two tokens of one answer, in milliseconds, and when it ended. */
interface Gap {
  at: number;
  milliseconds: number;
}

export interface FinishedRequest {
  asked: number;
  /** Milliseconds. */
  firstToken: number;
  /** Prompt tokens that came from the storage. */
  fromStorage: number;
}

export interface LoadShape {
  streams: number;
  promptTokens: number;
  answerTokens: number;
  /** Different prompts: each comes again and again. */
  prompts: number;
}

/** Streams that go on until they are told to stop: each asks for one answer after the other. */
export class Load {
  readonly #gaps: Gap[] = [];
  readonly #requests: FinishedRequest[] = [];
  readonly #running: Promise<unknown>;
  #stopped = false;
  answers = 0;

  constructor(url: string, shape: LoadShape) {
    this.#running = Promise.all(Array.from({ length: shape.streams }, (_, i) => this.#stream(url, shape, i)));
    // Whoever stops it hears of it.
    this.#running.catch(() => undefined);
  }

  /** Times between tokens that ended between two moments. */
  gaps(from: number, to: number): number[] {
    return this.#gaps.flatMap(({ at, milliseconds }) => (at > from && at <= to ? [milliseconds] : []));
  }

  /** Requests that were made between two moments, and have ended. */
  requests(from: number, to: number): FinishedRequest[] {
    return this.#requests.filter(({ asked }) => asked > from && asked <= to);
  }

  /** Rejects when an answer failed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #stream(url: string, shape: LoadShape, first: number): Promise<void> {
    for (let i = first; !this.#stopped; i += shape.streams + 1) {
      const prompt = uniquePrompt(i % shape.prompts, shape.promptTokens);
      const streamed = await ask(url, prompt, shape.answerTokens);
      const { arrivals, asked, cached } = streamed;
      this.answers++;
      const firstToken = timeToFirstToken(streamed);
      this.#requests.push({ asked, firstToken, fromStorage: cached.storage });
      for (let token = 1; token < arrivals.length; token++) {
        const at = arrivals[token] ?? 0;
        this.#gaps.push({ at, milliseconds: at - (arrivals[token - 1] ?? at) });
      }
    }
  }
}
