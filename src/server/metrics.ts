import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { RankStatus } from '../ranks/fleet.ts';
import type { CachedTokens, MetricSnapshot } from '../shared/messages.ts';
import type { OperationRecord } from '../tokenizer-manager/storage/operation.ts';
import type { AnswerObserver } from '../tokenizer-manager/tokenizer-manager.ts';

const TTFT_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const INTER_TOKEN_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const OPERATION_BUCKETS = [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100];
const E2E_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** The metrics of one server in Prometheus' text format. Gauges of the ranks are asked for at every scrape. */
export class Metrics implements AnswerObserver {
  readonly #registry = new Registry();
  readonly #requests: Counter;
  readonly #promptTokens: Counter;
  readonly #generatedTokens: Counter;
  readonly #cachedTokens: Counter;
  readonly #timeToFirst: Histogram;
  readonly #interToken: Histogram;
  readonly #endToEnd: Histogram;
  readonly #running: Gauge;
  readonly #waiting: Gauge;
  readonly #ready: Gauge;
  readonly #restarts: Gauge;
  readonly #preemptions: Gauge;
  readonly #operations: Counter;
  readonly #operationTime: Histogram;
  readonly #model: string;

  constructor(model: string) {
    this.#model = model;
    const registers = [this.#registry];
    this.#registry.setDefaultLabels({ model });
    const counter = (name: string, help: string, labelNames: string[] = []) =>
      new Counter({ name: `tierkv_${name}`, help, labelNames, registers });
    const histogram = (name: string, help: string, buckets: number[], labelNames: string[] = []) =>
      new Histogram({ name: `tierkv_${name}`, help, buckets, labelNames, registers });
    const gauge = (name: string, help: string, labelNames: string[] = ['rank']) =>
      new Gauge({ name: `tierkv_${name}`, help, labelNames, registers });
    this.#requests = counter('requests_total', 'Answers that ended, by how.', ['outcome']);
    this.#promptTokens = counter('prompt_tokens_total', 'Tokens of prompts.');
    this.#generatedTokens = counter('generation_tokens_total', 'Tokens that were generated.');
    this.#cachedTokens = counter('cached_tokens_total', 'Prompt tokens that were not computed.', ['source']);
    this.#timeToFirst = histogram(
      'time_to_first_token_seconds',
      'From the request to its first token.',
      TTFT_BUCKETS,
    );
    this.#interToken = histogram(
      'inter_token_latency_seconds',
      'From one token to the next.',
      INTER_TOKEN_BUCKETS,
    );
    this.#endToEnd = histogram(
      'e2e_latency_seconds',
      'From the request to the end of its answer.',
      E2E_BUCKETS,
    );
    this.#running = gauge('running_requests', 'Requests that are being computed.');
    this.#waiting = gauge('waiting_requests', 'Requests that wait to be computed.');
    this.#ready = gauge('rank_ready', 'Whether the rank serves.');
    this.#restarts = gauge('rank_restarts', 'How often the rank died and was started again.');
    this.#preemptions = gauge(
      'preempted_requests',
      'How often a request gave its KV cells back and was put back.',
    );
    this.#operations = counter('storage_operations_total', 'Changes of the storage that ended, by how.', [
      'op',
      'mode',
      'outcome',
    ]);
    this.#operationTime = histogram(
      'storage_operation_duration_seconds',
      'One change of the storage, on all ranks.',
      OPERATION_BUCKETS,
      ['op', 'mode'],
    );
  }

  storageOperation({ operation, outcome, milliseconds }: OperationRecord): void {
    const labels = { op: operation.kind, mode: operation.mode ?? '' };
    this.#operations.inc({ ...labels, outcome });
    this.#operationTime.observe(labels, milliseconds / 1000);
  }

  firstToken(seconds: number): void {
    this.#timeToFirst.observe(seconds);
  }

  nextToken(seconds: number): void {
    this.#interToken.observe(seconds);
  }

  ended(
    outcome: string,
    seconds: number,
    tokens: { prompt: number; completion: number; cached: CachedTokens },
  ): void {
    this.#requests.inc({ outcome });
    this.#endToEnd.observe(seconds);
    this.#promptTokens.inc(tokens.prompt);
    this.#generatedTokens.inc(tokens.completion);
    for (const source of ['device', 'host', 'storage'] as const)
      this.#cachedTokens.inc({ source }, tokens.cached[source]);
  }

  /** @param snapshots of the ranks' own metrics */
  async scrape(ranks: readonly RankStatus[], snapshots: MetricSnapshot[][]): Promise<string> {
    for (const { rank, state, restarts, report } of ranks) {
      this.#ready.set({ rank }, state === 'ready' ? 1 : 0);
      this.#restarts.set({ rank }, restarts);
      this.#running.set({ rank }, report?.running ?? 0);
      this.#waiting.set({ rank }, (report?.waiting ?? 0) + (report?.compilingGrammars ?? 0));
      this.#preemptions.set({ rank }, report?.preemptions ?? 0);
    }
    for (const { values } of snapshots.flat()) for (const { labels } of values) labels.model = this.#model;
    const own = await this.#registry.getMetricsAsJSON();
    return AggregatorRegistry.aggregate([own, ...snapshots]).metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}
