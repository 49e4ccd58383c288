import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import { ensureModel } from '../../src/models/store.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const OWN_NODE = path.join(ROOT, 'node_modules/node/bin/node');

/** The Node that the project is developed with; the one that runs the tests may be older. */
export const NODE = existsSync(OWN_NODE) ? OWN_NODE : process.execPath;
export const MAIN = path.join(ROOT, 'src/cli/main.ts');

/** What an idle rank reports. Whatever stays above that after a test was leaked. */
const NOTHING_HELD = {
  running: 0,
  waiting: 0,
  compilingGrammars: 0,
  samplersOpen: 0,
};

/** What the tiers of a rank hold; an idle one moves nothing and has no sequence in use. */
interface CacheReport {
  cells: { capacity: number; used: number; evictable: number };
  hostPages: { capacity: number; used: number };
  sequences: { running: number; cached: number };
  inFlight: { prefetch: number; backup: number };
  queued: number;
}
const START_DEADLINE_MS = 60_000;

interface RankInfo {
  rank: number;
  pid: number;
  state: string;
  restarts: number;
  report?: typeof NOTHING_HELD & { cache: CacheReport };
}

export interface ServerInfo {
  in_flight: number;
  ranks: RankInfo[];
  limits: { contextLength: number; maxQueuedRequests: number };
  [field: string]: unknown;
}

/** This process's environment without what would configure a server. */
export function cleanEnvironment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { TIERKV_API_KEY: _key, TIERKV_ADMIN_API_KEY: _adminKey, ...rest } = process.env;
  return { ...rest, ...extra };
}

/** Starts a real server process on a free port, with the tiny model unless the flags say otherwise. */
export async function startServer(
  flags: readonly string[] = [],
  environment: NodeJS.ProcessEnv = {},
): Promise<TestServer> {
  // One thread: the library's threads wait for each other spinning, which takes long on cores that others use too.
  const model = await ensureModel('tiny');
  const own = ['--port', '0', '--threads', '1', '--model-path', model];
  const child = spawn(NODE, [MAIN, 'serve', ...own, ...flags], {
    cwd: ROOT,
    env: cleanEnvironment(environment),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stderr: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => stderr.push(text));
  const lines = createInterface({ input: child.stdout });
  const signal = AbortSignal.timeout(START_DEADLINE_MS);
  try {
    const [url] = await Promise.race([
      once(lines, 'line', { signal }),
      once(child, 'exit', { signal }).then(() => {
        throw new Error('it ended');
      }),
    ]);
    return new TestServer(child, String(url), stderr);
  } catch (cause) {
    child.kill('SIGKILL');
    throw new Error(`The server did not start: ${stderr.join('')}`, { cause });
  }
}

export class TestServer {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #stderr: string[];
  readonly #exited: Promise<number | null>;

  constructor(child: ChildProcess, url: string, stderr: string[]) {
    this.#child = child;
    this.url = url;
    this.#stderr = stderr;
    this.#exited = once(child, 'exit').then(([code]) => code as number | null);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** What it has written to stderr so far. */
  get log(): string {
    return this.#stderr.join('');
  }

  /** The processes of its ranks, in the order of the ranks. They were not started in it. */
  async rankPids(): Promise<number[]> {
    return (await this.info()).ranks.map(({ pid }) => pid);
  }

  get(route: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.url + route, { headers });
  }

  /** @param body JSON text, or what becomes one */
  post(route: string, body: unknown, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + route, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
      ...init,
    });
  }

  /** The samples of /metrics, by name and labels. */
  async samples(): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for (const line of (await (await this.get('/metrics')).text()).split('\n')) {
      if (line === '' || line.startsWith('#')) continue;
      const [, name, value] = /^(\w+(?:\{.*\})?) (\S+)$/.exec(line) ?? expect.unreachable(line);
      found.set(name!, Number(value));
    }
    return found;
  }

  /** The sum of a family's samples that have all of these labels, such as `tier="host"`. */
  async metric(family: string, ...labels: string[]): Promise<number> {
    let sum = 0;
    for (const [name, value] of await this.samples())
      if (name.startsWith(`tierkv_${family}{`) && labels.every((label) => name.includes(label))) sum += value;
    return sum;
  }

  async info(): Promise<ServerInfo> {
    return (await (await this.get('/server_info')).json()) as ServerInfo;
  }

  /** Waits until nothing is held any more, on the server and on every rank. */
  async expectIdle(): Promise<void> {
    const held = async () => {
      const { in_flight, ranks } = await this.info();
      const most = (name: keyof typeof NOTHING_HELD) =>
        Math.max(...ranks.map(({ report }) => report?.[name] ?? Number.NaN));
      const names = Object.keys(NOTHING_HELD) as (keyof typeof NOTHING_HELD)[];
      const busy = ranks.filter(({ report }) => !report || isBusy(report.cache)).length;
      return { in_flight, busy, ...Object.fromEntries(names.map((name) => [name, most(name)])) };
    };
    const nothing = { in_flight: 0, busy: 0, ...NOTHING_HELD };
    await expect.poll(held, { timeout: 20_000, interval: 20 }).toEqual(nothing);
  }

  /** Asks it to end in order. Returns the exit code. */
  stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    return this.#exited;
  }

  /** Ends it at once, whatever it does. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  get exited(): Promise<number | null> {
    return this.#exited;
  }
}

/** Cells that are used and not evictable are held by nobody. */
function isBusy({ cells, sequences, inFlight, queued }: CacheReport): boolean {
  return cells.used > cells.evictable || sequences.running + inFlight.prefetch + inFlight.backup + queued > 0;
}

/**
 * Prompts whose greedy answers meet no two tokens that are almost equally likely, for 24 tokens. Where there are
 * some, rounding decides, and that depends on what else is computed in the same batch.
 */
export const STEADY_PROMPTS = [
  'A morning moves bread',
  'One cache wants the night',
  'His server waits for many things',
  'This page is us',
  'His morning returns the night',
] as const;
const STEADY_TOKENS = 24;
/**
 * Attention adds V in the order of the cells, rounding to f16 each time: a prefix whose cells lie in another order has
 * logprobs that differ by a quarter of this, in another batch by a twentieth.
 */
export const NEARLY_TIED = 0.2;

/** The greedy answer to a steady prompt: the same as long as the server is sound, whatever else it does. */
export async function greedy(server: TestServer, prompt: string, maxTokens = STEADY_TOKENS): Promise<string> {
  const response = await server.post('/v1/completions', { prompt, max_tokens: maxTokens, temperature: 0 });
  const answer = (await response.json()) as { choices: { text: string }[] };
  return answer.choices[0]!.text;
}

export interface GreedyAnswer {
  tokens: number[];
  /** How many of them do not depend on rounding. */
  certain: number;
  promptTokens: number;
  cached: CachedTokens;
}

/** What answers say of where their prompts came from. */
export interface CachedTokens {
  device: number;
  host: number;
  storage: number;
  storage_backend: string | null;
}

/** The greedy answer to any prompt. */
export async function greedyTokens(
  server: TestServer,
  text: string,
  maxTokens: number,
  fields: object = {},
): Promise<GreedyAnswer> {
  const response = await server.post('/generate', {
    text,
    ...fields,
    sampling_params: { temperature: 0, max_new_tokens: maxTokens },
    return_logprob: true,
    top_logprobs_num: 2,
  });
  expect(response.status).toBe(200);
  const { output_ids, meta_info } = (await response.json()) as {
    output_ids: number[];
    meta_info: {
      prompt_tokens: number;
      cached_tokens_details: CachedTokens;
      output_top_logprobs: [number, number, null][][];
    };
  };
  const tied = meta_info.output_top_logprobs.findIndex(
    ([first, second]) => first![0] - second![0] < NEARLY_TIED,
  );
  return {
    tokens: output_ids,
    certain: tied < 0 ? output_ids.length : tied,
    promptTokens: meta_info.prompt_tokens,
    cached: meta_info.cached_tokens_details,
  };
}

/** Two answers to one prompt, as far as rounding does not decide. */
export function expectSameAnswer(answer: GreedyAnswer, right: GreedyAnswer, what?: string): void {
  const sure = right.tokens.slice(0, right.certain);
  expect(answer.tokens.slice(0, right.certain), what).toEqual(sure);
  // Only the model's own end, which comes seldom, makes an answer shorter.
  expect(answer.tokens.length).toBeGreaterThan(0);
}

interface ApiError {
  message: string;
  type: string;
  param: string | null;
  code: string;
}

/** The error of a request that must be refused with this status, in OpenAI's shape. */
export async function refusal(
  server: TestServer,
  route: string,
  body: unknown,
  status = 400,
  init: RequestInit = {},
): Promise<ApiError> {
  const response = await server.post(route, body, init);
  const text = await response.text();
  expect(response.status, text.slice(0, 300)).toBe(status);
  const { error } = JSON.parse(text) as { error: ApiError };
  const type = expect.stringMatching(/_error$/);
  expect(error).toEqual({ message: expect.any(String), type, param: error.param, code: expect.any(String) });
  return error;
}
