import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Logger } from 'pino';
import type { EvictionPolicy } from '../cache/eviction.ts';
import type { PrefetchPolicy } from '../cache/prefetch-policy.ts';
import type { WritePolicy } from '../cache/write-policy.ts';
import type { Vocabulary } from '../engine/engine.ts';
import { findLibrary, type GpuChoice } from '../engine/llama/library.ts';
import type { KvCacheType } from '../engine/llama/llama-engine.ts';
import { resolveModelPath } from '../engine/llama/model-file.ts';
import { type FingerprintMode, modelFingerprint } from '../engine/llama/model-fingerprint.ts';
import { openVocabulary } from '../engine/llama/vocabulary.ts';
import { Fleet } from '../ranks/fleet.ts';
import { systemClock } from '../shared/clock.ts';
import { failure, toFailure } from '../shared/errors.ts';
import type { CacheOptions, SchedulerLimits } from '../shared/messages.ts';
import type { OperationMode, StorageSettings } from '../shared/storage-messages.ts';
import { VERSION } from '../shared/version.ts';
import { type ChatSupport, loadChatSupport } from '../tokenizer-manager/chat/chat-support.ts';
import { PrefixIndex } from '../tokenizer-manager/prefix-index.ts';
import { PrefixRouter } from '../tokenizer-manager/prefix-router.ts';
import { LeastLoadedRouter } from '../tokenizer-manager/router.ts';
import { TokenizerManager } from '../tokenizer-manager/tokenizer-manager.ts';
import { CacheReporter } from './answering.ts';
import { createApp } from './app.ts';
import type { ServerContext } from './context.ts';
import {
  batchTokens,
  deriveLimits,
  type Limits,
  type RequestedLimits,
  sequences,
  thisMachine,
} from './limits.ts';
import { Metrics } from './metrics.ts';
import { attachAtStart, createStorage, detachAtEnd } from './storage.ts';
import type { App } from './typed-app.ts';

export interface ServerOptions extends RequestedLimits {
  modelPath: string;
  host: string;
  /** 0 takes any free port. */
  port: number;
  servedModelName: string | undefined;
  chatTemplatePath: string | undefined;
  apiKey: string | undefined;
  adminApiKey: string | undefined;
  dpSize: number;
  gpu: GpuChoice;
  /** -1 is all. */
  gpuLayers: number;
  kvCacheType: KvCacheType;
  /** Tokens. */
  pageSize: number;
  /** Whether prefixes are reused at all. */
  radixCache: boolean;
  evictionPolicy: EvictionPolicy;
  writePolicy: WritePolicy;
  prefetchPolicy: PrefetchPolicy;
  storageBackend: string | undefined;
  /** JSON; it may hold secrets. */
  storageConfig: string | undefined;
  /** When changes of the storage may happen, unless an operator says otherwise. */
  storageMode: OperationMode;
  /** Absolute; where plugins of the storage may lie. */
  dynamicFolder: string | undefined;
  fingerprintMode: FingerprintMode;
  /** Whether answers say which tier their cached tokens came from. */
  cacheReport: boolean;
  metrics: boolean;
  metricsRequireAuth: boolean;
  randomSeed: number | undefined;
  log: Logger;
  onProgress?: (fraction: number) => void;
}

export interface RunningServer {
  readonly url: string;
  readonly servedModel: string;
  readonly limits: Limits;
  /** Bytes of a page of KV; 0 where KV has no pages. */
  readonly pageBytes: number;
  readonly app: App;
  readonly manager: TokenizerManager;
  /** Takes no more requests, lets those in flight finish within the grace period, and ends the ranks. */
  close(graceMs: number): Promise<void>;
}

/** Makes the ranks check all invariants of their caches after every operation, which is slow. */
const DEBUG_VARIABLE = 'TIERKV_CHECK_CACHE';
/** Bytes of body per token of context: long words in JSON escapes still fit. */
const BODY_BYTES_PER_TOKEN = 64;
const SMALLEST_BODY_LIMIT = 4 << 20;
/** Time for the last bytes of finished answers. */
const LAST_BYTES_MS = 1_000;
/** Time that a rank has to free its memory before it is killed. */
const RANK_GRACE_MS = 5_000;

/**
 * Starts a server: model, ranks, HTTP, in this order; when one fails nothing is left behind.
 *
 * @throws `bad_option`, `storage_config`, `storage_unknown_backend`, `model_file`, `model_unsupported`,
 *   `library_missing`, `library_mismatch`, `engine_failed`, `port_in_use`, `listen_failed`
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { log } = options;
  const modelPath = await resolveModelPath(options.modelPath);
  const vocabulary = await openVocabulary(modelPath, options.gpu);
  const chat = await loadChat(options.chatTemplatePath, vocabulary);
  const usesGpu = findLibrary(options.gpu).kind !== 'off';
  const limits = deriveLimits(options, vocabulary, options.kvCacheType, thisMachine(options.dpSize, usesGpu));
  const index = options.dpSize > 1 && options.radixCache ? new PrefixIndex() : undefined;
  const servedModel = options.servedModelName ?? vocabulary.name ?? path.basename(modelPath, '.gguf');
  const metrics = new Metrics(servedModel);
  const storage = createStorage({
    options,
    ranks: () => fleet.ranks,
    fingerprint: once(() => modelFingerprint(modelPath, options.fingerprintMode, {})),
    onEnded: (record) => metrics.storageOperation(record),
  });
  const fleet: Fleet = new Fleet(options.dpSize, {
    engine: {
      modelPath,
      gpu: options.gpu,
      gpuLayers: options.gpuLayers,
      cells: limits.maxTotalTokens,
      batchTokens: batchTokens(limits),
      sequences: sequences(limits),
      outputs: limits.maxRunningRequests,
      pageSize: options.pageSize,
      threads: limits.threads,
      ownsCores: options.dpSize === 1,
      kvCacheType: options.kvCacheType,
    },
    limits: schedulerLimits(limits),
    cache: () => cacheOptions(options, limits, storage.decided, index !== undefined),
    join: (rank, ready) => storage.join(rank, ready),
    log,
    ...(index ? { pages: index } : {}),
    ...(options.onProgress ? { onProgress: options.onProgress } : {}),
  });
  const { model, pageBytes } = await fleet.start();
  if (!model.paging.supported) log.warn(`This model's KV cannot be kept in pages: ${model.paging.reason}.`);
  else if (options.storageBackend !== undefined && limits.hostBytes < pageBytes)
    log.warn('L2 has no room for a page, so the storage is not used.');
  else if (options.storageBackend !== undefined)
    await attachAtStart(storage, options.storageBackend, options.storageConfig, log);

  const manager = new TokenizerManager({
    vocabulary,
    fleet,
    router: index ? new PrefixRouter(index, options.pageSize) : new LeastLoadedRouter(),
    observer: metrics,
    contextLength: limits.contextLength,
    randomSeed: options.randomSeed,
  });
  const context: ServerContext = {
    manager,
    metrics,
    log,
    servedModel,
    modelPath,
    model,
    started: Math.floor(Date.now() / 1000),
    limits,
    cacheReporter: new CacheReporter(options.cacheReport, () => storage.decided.backend),
    storage,
    storageMode: options.storageMode,
    chat,
    version: VERSION,
    publicOptions: () => publicOptions(options, modelPath, storage.decided),
  };
  const app = await createApp(context, {
    apiKey: options.apiKey,
    adminApiKey: options.adminApiKey,
    metrics: options.metrics,
    metricsRequireAuth: options.metricsRequireAuth,
    bodyLimit: Math.max(SMALLEST_BODY_LIMIT, limits.contextLength * BODY_BYTES_PER_TOKEN),
  });
  const stop = async (graceMs: number) => {
    const closed = app.close();
    await manager.idle(graceMs).catch(() => manager.abort(undefined));
    // What was generated is on its way out; a client that does not read it is not waited for.
    await Promise.race([closed, systemClock.sleep(LAST_BYTES_MS)]);
    app.server.closeAllConnections();
    await closed;
    await detachAtEnd(storage);
    await fleet.stop(RANK_GRACE_MS);
    vocabulary.close();
  };
  try {
    await listen(app, options);
  } catch (error) {
    await stop(0);
    throw error;
  }
  const { port } = app.server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return { url: `http://${host}:${port}`, servedModel, limits, pageBytes, app, manager, close: stop };
}

function cacheOptions(
  options: ServerOptions,
  limits: Limits,
  { writePolicy, prefetch }: StorageSettings,
  events: boolean,
): CacheOptions {
  return {
    radixCache: options.radixCache,
    hostBytes: limits.hostBytes,
    evictionPolicy: options.evictionPolicy,
    writePolicy,
    unusedDeviceTokens: limits.keepOnDevice,
    ...(limits.swapWorthTokens === undefined ? {} : { swapWorthTokens: limits.swapWorthTokens }),
    prefetch,
    ...(options.dynamicFolder === undefined ? {} : { dynamicFolder: options.dynamicFolder }),
    events,
    debug: process.env[DEBUG_VARIABLE] === '1',
  };
}

/** Makes it when it is first asked for, and again when that failed. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

/** At start a broken template is the operator's business, not a client's. */
async function loadChat(file: string | undefined, vocabulary: Vocabulary): Promise<ChatSupport | undefined> {
  try {
    return await loadChatSupport(file, vocabulary);
  } catch (cause) {
    const known = toFailure(cause);
    if (known.code !== 'template_failed') throw known;
    const source = file === undefined ? "The model's chat template" : `--chat-template ${file}`;
    const { message } = known.cause instanceof Error ? known.cause : known;
    throw failure('bad_option', { reason: `${source} is not valid: ${message}.` }, { cause });
  }
}

function schedulerLimits(limits: Limits): SchedulerLimits {
  return {
    contextLength: limits.contextLength,
    maxRunningRequests: limits.maxRunningRequests,
    chunkedPrefillSize: limits.chunkedPrefillSize,
    maxPrefillTokens: limits.maxPrefillTokens,
    mixedChunk: limits.mixedChunk,
    maxQueuedRequests: limits.maxQueuedRequests,
  };
}

async function listen(app: App, { host, port }: ServerOptions): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') throw failure('port_in_use', { host, port }, { cause });
    throw failure('listen_failed', { host, port, reason: message }, { cause });
  }
}

/** What /server_info shows: everything but the keys and what is no setting. */
function publicOptions(
  options: ServerOptions,
  modelPath: string,
  { backend, prefetch, writePolicy }: StorageSettings,
): Record<string, unknown> {
  const { apiKey, adminApiKey, storageConfig, log: _log, onProgress: _onProgress, ...rest } = options;
  const redacted = (key: string | undefined) => (key === undefined ? null : '***');
  return {
    ...rest,
    modelPath,
    apiKey: redacted(apiKey),
    adminApiKey: redacted(adminApiKey),
    storageBackend: backend,
    storageConfig: redacted(storageConfig),
    prefetchPolicy: prefetch.policy,
    writePolicy,
  };
}
