/**
 * The process of one rank: an engine and its scheduler behind a transport. It has no life without its parent,
 * which starts it, tells it what to load, and whose end ends it.
 */
import type { CreatedCache } from '../cache/create-cache.ts';
import { openLlamaEngine } from '../engine/llama/llama-engine.ts';
import type { SchedulerOutput } from '../scheduler/output.ts';
import { Scheduler } from '../scheduler/scheduler.ts';
import { StorageOperations } from '../scheduler/storage-operations.ts';
import { systemClock } from '../shared/clock.ts';
import { toFailure } from '../shared/errors.ts';
import { type FromRankMessage, packTokens, parseToRank, type ToRankMessage } from '../shared/messages.ts';
import { Wakeup } from '../shared/wakeup.ts';
import type { Transport } from '../transport/transport.ts';
import { connectToServer } from '../transport/unix-socket.ts';
import { PageEvents } from './page-events.ts';
import { createRankCache, createStorageControl } from './rank-cache.ts';
import { RANK_ADDRESS_VARIABLE } from './rank-environment.ts';
import { RankMetrics } from './rank-metrics.ts';

/** What a rank that ends still gives its storage, which its server has detached before if it could. */
const LAST_WRITES_MS = 1_000;

type StartMessage = Extract<ToRankMessage, { type: 'start' }>;
type Handler = (message: ToRankMessage) => void;

/** Ends now, also while the library computes on another thread: its exit handlers would race with that. */
function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

// Signals to the whole process group are for the parent, which first lets requests finish.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', die);

const address = process.env[RANK_ADDRESS_VARIABLE];
if (!address || !process.connected) {
  console.error('This is a part of TierKV that only its server starts.');
  process.exit(1);
}
await serve(await connectToServer(address));

async function serve(transport: Transport): Promise<void> {
  const send = (message: FromRankMessage | Int32Array) => transport.send(message);
  let handle: Handler = (message) => {
    if (message.type !== 'start') throw new Error(`'${message.type}' came before 'start'.`);
    void start(message, send).then((handler) => {
      if (handler) handle = handler;
    });
  };
  transport.onClose((error) => {
    if (error) console.error(error);
    die();
  });
  transport.onMessage((message) => handle(parseToRank(message)));
}

async function start(
  message: StartMessage,
  send: (message: FromRankMessage | Int32Array) => void,
): Promise<Handler | undefined> {
  try {
    const onProgress = progressReporter(send);
    const engine = await openLlamaEngine({ ...message.engine, onProgress });
    const metrics = new RankMetrics(message.rank);
    const wakeup = new Wakeup();
    const events = message.cache.events
      ? new PageEvents((stored, removed) => send({ type: 'pages', stored, removed }))
      : undefined;
    const onMoved = () => wakeup.signal();
    const tiers = createRankCache(engine, message.cache, systemClock, metrics, onMoved, events);
    const output = rankOutput(send);
    const scheduler = new Scheduler(engine, tiers.cache, message.limits, output, systemClock, wakeup);
    const control = createStorageControl(message.rank, engine, tiers, systemClock, metrics, {
      dynamicFolder: message.cache.dynamicFolder,
    });
    const storage = new StorageOperations(scheduler, control, systemClock);
    void scheduler
      .run()
      .then(() => storage.close(LAST_WRITES_MS))
      .then(() => process.exit(0));
    send({ type: 'ready', model: engine.model, pageBytes: engine.pages?.bytes ?? 0 });
    return (next) => void handleRequest({ scheduler, tiers, metrics, storage }, next, send);
  } catch (error) {
    const { code, message: text, cause } = toFailure(error);
    if (cause) console.error(cause);
    send({ type: 'start-failed', code, message: text });
    return undefined;
  }
}

interface Serving {
  scheduler: Scheduler;
  tiers: CreatedCache;
  metrics: RankMetrics;
  storage: StorageOperations;
}

async function handleRequest(
  { scheduler, tiers, metrics, storage }: Serving,
  message: ToRankMessage,
  send: (message: FromRankMessage) => void,
): Promise<void> {
  switch (message.type) {
    case 'generate':
      return scheduler.submit(message);
    case 'abort':
      return scheduler.abort(message.id);
    case 'inspect':
      return send({ type: 'inspected', call: message.call, report: scheduler.report() });
    case 'flush':
      return send({ type: 'flushed', call: message.call, done: scheduler.flush() });
    case 'scrape': {
      const { cache, speeds } = tiers;
      const values = await metrics.snapshot(cache.report(), cache.pageSize, speeds, storage.status());
      return send({ type: 'scraped', call: message.call, metrics: values });
    }
    case 'storage': {
      const answer = await storage.handle(message.request);
      return send({ type: 'storage-answered', call: message.call, answer });
    }
    case 'stop':
      return scheduler.stop();
    case 'start':
      throw new Error('The rank was started twice.');
    default:
      message satisfies never;
  }
}

function rankOutput(send: (message: FromRankMessage | Int32Array) => void): SchedulerOutput {
  return {
    started: (id, cached) => send({ type: 'started', id, cached }),
    tokens: (ids, tokens, logprobs) =>
      send(logprobs ? { type: 'tokens', ids, tokens, logprobs } : packTokens(ids, tokens)),
    finished: (id, reason, stop) =>
      send(stop ? { type: 'finished', id, reason, stop } : { type: 'finished', id, reason }),
    failed: (id, { code, message }) => send({ type: 'failed', id, code, message }),
  };
}

/** The library reports every tensor; a message per percent is enough. */
function progressReporter(send: (message: FromRankMessage) => void): (fraction: number) => void {
  let last = -1;
  return (fraction) => {
    const percent = Math.floor(fraction * 100);
    if (percent === last) return;
    last = percent;
    send({ type: 'loading', fraction });
  };
}
