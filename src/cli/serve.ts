import { type Command, Option } from 'commander';
import { EVICTION_POLICIES, type EvictionPolicy } from '../cache/eviction.ts';
import { PREFETCH_POLICIES, type PrefetchPolicy } from '../cache/prefetch-policy.ts';
import { WRITE_POLICIES, type WritePolicy } from '../cache/write-policy.ts';
import { GPU_CHOICES, type GpuChoice } from '../engine/llama/library.ts';
import { KV_CACHE_TYPES, type KvCacheType } from '../engine/llama/llama-engine.ts';
import type { FingerprintMode } from '../engine/llama/model-fingerprint.ts';
import { DEMO_MODEL } from '../models/demo.ts';
import { type RunningServer, type ServerOptions, startServer } from '../server/start.ts';
import { createLogger, LOG_LEVELS, type LogFormat, type LogLevel } from '../shared/log.ts';
import { OPERATION_MODES, type OperationMode } from '../shared/storage-messages.ts';
import { VERSION } from '../shared/version.ts';
import { readConfig } from './config-file.ts';
import { existingFolder } from './existing-folder.ts';
import { checkKey } from './keys.ts';
import { number, wholeNumber } from './option-types.ts';
import { ProgressLine } from './progress-line.ts';

interface ServeFlags {
  modelPath?: string;
  model?: string;
  host: string;
  port: number;
  servedModelName?: string;
  chatTemplate?: string;
  apiKey?: string;
  adminApiKey?: string;
  dpSize: number;
  contextLength?: number;
  maxTotalTokens?: number;
  maxRunningRequests?: number;
  chunkedPrefillSize?: number;
  maxPrefillTokens?: number;
  maxQueuedRequests?: number;
  threads?: number;
  nGpuLayers?: number;
  gpu: GpuChoice;
  kvCacheDtype: KvCacheType;
  enableMetrics: boolean;
  metricsRequireAuth?: boolean;
  pageSize: number;
  disableRadixCache?: boolean;
  disableHierarchicalCache?: boolean;
  hicacheRatio?: number;
  hicacheSize: number;
  hicacheKeepOnDevice?: number;
  hicacheWritePolicy: WritePolicy;
  hicacheStoragePrefetchPolicy: PrefetchPolicy;
  hicacheStorageBackend?: string;
  hicacheStorageBackendExtraConfig?: string;
  hicacheStorageOpMode: OperationMode;
  hicacheDynamicBackendDir?: string;
  radixEvictionPolicy: EvictionPolicy;
  modelFingerprint: FingerprintMode;
  enableCacheReport: boolean;
  randomSeed?: number;
  logLevel: LogLevel;
  logFormat?: LogFormat;
}

const DEFAULT_PAGE_SIZE = 64;
/** How long requests in flight may go on after SIGTERM. */
const GRACE_MS = 30_000;

/** `tierkv serve`, which plain `tierkv` is too. */
export function addServe(program: Command): void {
  // llama.cpp counts in 32 bits.
  const tokens = wholeNumber(1, 2 ** 31 - 1);
  program
    .command('serve', { isDefault: true })
    .description('serve a GGUF model over HTTP')
    .optionsGroup('Model:')
    .option('--model-path <file|dir>', 'GGUF file, or a folder with one (default: a small demo model)')
    .addOption(new Option('--model <file|dir>', 'the same').hideHelp())
    .option('--served-model-name <name>', 'the name that clients ask for (default: from the file)')
    .option('--chat-template <file>', 'Jinja template (default: from the file)')
    .optionsGroup('Network:')
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 takes a free one', wholeNumber(0, 65535), 30000)
    .addOption(new Option('--api-key <key>', 'ask clients for this key').env('TIERKV_API_KEY'))
    .addOption(
      new Option('--admin-api-key <key>', 'ask for this key where the server is controlled').env(
        'TIERKV_ADMIN_API_KEY',
      ),
    )
    .option('--metrics-require-auth', 'ask for the API key at /metrics too')
    .optionsGroup('Scheduling (derived from model and machine unless given):')
    .option('--dp-size <n>', 'ranks: processes that each hold the model', wholeNumber(1, 64), 1)
    .option('--context-length <tokens>', 'longest prompt with its answer', tokens)
    .option('--max-total-tokens <tokens>', 'KV cells per rank, shared by its requests', tokens)
    .option('--max-running-requests <n>', 'requests computed at once per rank', tokens)
    .option('--max-queued-requests <n>', 'requests that may wait per rank; more are refused with 503', tokens)
    .option('--chunked-prefill-size <tokens>', 'prompt tokens per step while others decode', tokens)
    .option('--max-prefill-tokens <tokens>', 'prompt tokens per step while nothing decodes', tokens)
    .optionsGroup('Hardware:')
    .addOption(new Option('--gpu <kind>', 'what to compute on').choices(GPU_CHOICES).default('auto'))
    .option('--n-gpu-layers <n>', 'layers on the GPU (default: all)', wholeNumber(-1))
    .option('--threads <n>', 'CPU threads per rank', wholeNumber(1, 512))
    .addOption(
      new Option('--kv-cache-dtype <type>', 'type of K and V')
        .choices(Object.keys(KV_CACHE_TYPES))
        .default('f16'),
    )
    .optionsGroup('Cache:')
    .option('--page-size <tokens>', 'tokens in a page of KV', wholeNumber(1, 1024), DEFAULT_PAGE_SIZE)
    .option('--disable-hierarchical-cache', 'keep prefixes on the device (L1) alone')
    .addOption(new Option('--enable-hierarchical-cache').hideHelp())
    .option('--disable-radix-cache', 'compute every prompt from its first token')
    .option('--hicache-ratio <n>', 'L2 as a multiple of L1 (default: 2, or what memory allows)', number(0))
    .option('--hicache-size <GB>', 'L2 in GB (1e9 bytes) per rank; 0 goes by the ratio', number(0), 0)
    .option(
      '--hicache-keep-on-device <tokens>',
      'unused tokens that stay in L1 too (default: all on a GPU, none on a CPU)',
      wholeNumber(0),
    )
    .addOption(
      new Option('--hicache-write-policy <policy>', 'when pages go from L1 to L2')
        .choices(WRITE_POLICIES)
        .default('write_through'),
    )
    .addOption(
      new Option('--radix-eviction-policy <policy>', 'what leaves a full tier first')
        .choices(EVICTION_POLICIES)
        .default('lru'),
    )
    .option('--hicache-storage-backend <name>', 'storage backend (L3), such as file')
    .option('--hicache-storage-backend-extra-config <json|@file>', 'its settings, and those of prefetching')
    .addOption(
      new Option('--hicache-storage-prefetch-policy <policy>', 'how long a request waits for the storage')
        .choices(PREFETCH_POLICIES)
        .default('timeout'),
    )
    .addOption(
      new Option('--hicache-storage-op-mode <mode>', 'when the storage may be changed at runtime')
        .choices(OPERATION_MODES)
        .default('idle'),
    )
    .option('--hicache-dynamic-backend-dir <dir>', 'folder that the dynamic backend may load modules from')
    .addOption(
      new Option('--model-fingerprint <mode>', 'how much of the weights names their pages in the storage')
        .choices(['sample', 'full'])
        .default('sample'),
    )
    .option('--no-enable-cache-report', 'do not say which tier cached tokens came from')
    .addOption(new Option('--enable-cache-report').default(true).hideHelp())
    .optionsGroup('Other:')
    .option('--no-enable-metrics', 'no /metrics')
    .addOption(new Option('--enable-metrics').default(true).hideHelp())
    .option(
      '--random-seed <n>',
      'makes the seeds of requests that bring none repeatable',
      wholeNumber(0, 2 ** 32 - 1),
    )
    .addOption(
      new Option('--log-level <level>', 'least severity that is logged').choices(LOG_LEVELS).default('info'),
    )
    .addOption(
      new Option('--log-format <format>', 'default: pretty on a terminal, json elsewhere').choices([
        'pretty',
        'json',
      ]),
    )
    .action(serve);
}

async function serve(flags: ServeFlags): Promise<void> {
  const format = flags.logFormat ?? (process.stderr.isTTY ? 'pretty' : 'json');
  const log = createLogger(flags.logLevel, format);
  checkKey('--api-key (TIERKV_API_KEY)', flags.apiKey);
  checkKey('--admin-api-key (TIERKV_ADMIN_API_KEY)', flags.adminApiKey);
  const modelPath = flags.modelPath ?? flags.model ?? demoModel((line) => log.info(line));
  const loading = new ProgressLine('loading the model');
  const options: ServerOptions = {
    modelPath,
    host: flags.host,
    port: flags.port,
    servedModelName: flags.servedModelName,
    chatTemplatePath: flags.chatTemplate,
    apiKey: flags.apiKey,
    adminApiKey: flags.adminApiKey,
    dpSize: flags.dpSize,
    gpu: flags.gpu,
    gpuLayers: flags.nGpuLayers ?? -1,
    kvCacheType: flags.kvCacheDtype,
    contextLength: flags.contextLength,
    maxTotalTokens: flags.maxTotalTokens,
    maxRunningRequests: flags.maxRunningRequests,
    chunkedPrefillSize: flags.chunkedPrefillSize,
    maxPrefillTokens: flags.maxPrefillTokens,
    maxQueuedRequests: flags.maxQueuedRequests,
    threads: flags.threads,
    pageSize: flags.pageSize,
    radixCache: !flags.disableRadixCache,
    cache: {
      hierarchical: !(flags.disableHierarchicalCache || flags.disableRadixCache),
      hostRatio: flags.hicacheRatio,
      hostBytes: flags.hicacheSize > 0 ? flags.hicacheSize * 1e9 : undefined,
      keepOnDevice: flags.hicacheKeepOnDevice,
    },
    evictionPolicy: flags.radixEvictionPolicy,
    writePolicy: flags.hicacheWritePolicy,
    prefetchPolicy: flags.hicacheStoragePrefetchPolicy,
    storageBackend: flags.hicacheStorageBackend,
    storageConfig: await readConfig(
      '--hicache-storage-backend-extra-config',
      flags.hicacheStorageBackendExtraConfig,
    ),
    storageMode: flags.hicacheStorageOpMode,
    dynamicFolder: await existingFolder('--hicache-dynamic-backend-dir', flags.hicacheDynamicBackendDir),
    fingerprintMode: flags.modelFingerprint,
    cacheReport: flags.enableCacheReport,
    metrics: flags.enableMetrics,
    metricsRequireAuth: flags.metricsRequireAuth ?? false,
    randomSeed: flags.randomSeed,
    log,
    onProgress: (fraction) => loading.update(fraction),
  };
  const server = await startServer(options).finally(() => loading.end());
  const { servedModel, limits, pageBytes } = server;
  const hostTokens = pageBytes > 0 ? Math.floor(limits.hostBytes / pageBytes) * flags.pageSize : 0;
  log.info({ model: servedModel, ...limits, hostTokens, ranks: flags.dpSize }, `TierKV ${VERSION} serves`);
  // The address goes to stdout, alone: scripts read it.
  process.stdout.write(`${server.url}\n`);
  await closeOnSignal(server, (line) => log.info(line));
}

function demoModel(say: (line: string) => void): string {
  say('No --model-path: serving the demo model, a toy that tells stories.');
  return DEMO_MODEL;
}

/** The first signal ends the server in order; the second one at once. */
async function closeOnSignal(server: RunningServer, say: (line: string) => void): Promise<void> {
  const signal = await new Promise<string>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, resolve);
  });
  say(`${signal}: finishing ${server.manager.inFlight} requests`);
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1));
  await server.close(GRACE_MS);
  process.exit(0);
}
