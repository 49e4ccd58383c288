import os from 'node:os';
import type { Vocabulary } from '../engine/engine.ts';
import type { KvCacheType } from '../engine/llama/llama-engine.ts';
import { failure } from '../shared/errors.ts';

/** What the operator may set; undefined is derived from the model and the machine. */
export interface RequestedLimits {
  contextLength: number | undefined;
  maxTotalTokens: number | undefined;
  maxRunningRequests: number | undefined;
  chunkedPrefillSize: number | undefined;
  maxPrefillTokens: number | undefined;
  maxQueuedRequests: number | undefined;
  threads: number | undefined;
  cache: RequestedCache;
}

/** What the operator wants of the tiers below the KV cells. */
interface RequestedCache {
  /** Whether there is an L2. */
  hierarchical: boolean;
  /** L2 as a multiple of L1; undefined is the default, or what memory allows. */
  hostRatio: number | undefined;
  /** L2 in bytes, which the ratio does not count against. */
  hostBytes: number | undefined;
  /** Tokens that nobody uses and that stay on the device all the same. */
  keepOnDevice: number | undefined;
}

/** What is in effect, per rank. All but `threads` and the request counts in tokens. */
export interface Limits {
  contextLength: number;
  maxTotalTokens: number;
  maxRunningRequests: number;
  chunkedPrefillSize: number;
  maxPrefillTokens: number;
  mixedChunk: boolean;
  maxQueuedRequests: number;
  threads: number;
  /** Memory of the KV cells; undefined where the model file does not say. */
  kvBytes: number | undefined;
  /** Memory of L2; 0 is none. */
  hostBytes: number;
  /** A cell that so many tokens of prompts need not look at is worth being taken out and put back; undefined is none. */
  swapWorthTokens: number | undefined;
  keepOnDevice: number;
}

/** Where a model was trained for more, a longer context must be asked for: it costs memory at start. */
const DEFAULT_CONTEXT = 32_768;
/** The share of the free memory that KV cells take unasked. */
const MEMORY_SHARE = 0.25;
const SMALLEST_CONTEXT = 256;
/** llama.cpp knows 256 sequence ids; some are kept for prefixes. */
const MOST_RUNNING = 192;
const DEFAULT_RUNNING = 64;
const DEFAULT_QUEUED = 1024;
/** While nothing decodes, nobody waits for the end of a step: a GPU has no pause between the library's batches of 512. */
const GPU_PREFILL = 2048;
const CPU_PREFILL = 512;
/**
 * A chunk is how long decoding requests wait: shorter where prefill is slow. Half of this on a CPU makes the longest waits
 * a third shorter, and a mix of long prompts a tenth slower.
 */
const CPU_CHUNK = 256;
const GPU_CHUNK = 512;

const DEFAULT_HOST_RATIO = 2;
/** The share of what is free besides the KV cells that L2 takes unasked. */
const HOST_MEMORY_SHARE = 0.5;
/**
 * Unused tokens that stay in L1 on a CPU: every step reads all cells up to the highest used one, while L2 is the same
 * memory and gives them back to the token.
 */
const CPU_KEPT_TOKENS = 0;

/**
 * Measured beside 3,000 cells of others: a chunk of 64 tokens takes a tenth longer with swapping, one of 128 or 256 a
 * twentieth less. What moving a cell costs and what looking past it costs both grow with the layers of a model.
 */
const CPU_SWAP_WORTH_TOKENS = 80;

/** Bytes of one value in each KV type; quantised blocks of 32 carry a scale of two bytes. */
const VALUE_BYTES: Record<KvCacheType, number> = { f16: 2, q8_0: 34 / 32, q4_0: 18 / 32 };

export interface Machine {
  totalMemory: number;
  freeMemory: number;
  cores: number;
  ranks: number;
  gpu: boolean;
}

export function thisMachine(ranks: number, gpu: boolean): Machine {
  return {
    totalMemory: os.totalmem(),
    freeMemory: os.freemem(),
    cores: os.availableParallelism(),
    ranks,
    gpu,
  };
}

/**
 * Fills in what the operator left open. Pure.
 *
 * @throws `bad_option` when two settings contradict each other, or ask for more memory than there is
 */
export function deriveLimits(
  asked: RequestedLimits,
  model: Pick<Vocabulary, 'trainedContext' | 'kvValuesPerToken'>,
  kvCacheType: KvCacheType,
  machine: Machine,
): Limits {
  const { kvValuesPerToken } = model;
  const bytesPerToken = kvValuesPerToken && 2 * kvValuesPerToken * VALUE_BYTES[kvCacheType];
  const affordable = bytesPerToken
    ? Math.max(
        SMALLEST_CONTEXT,
        Math.floor((machine.freeMemory * MEMORY_SHARE) / machine.ranks / bytesPerToken),
      )
    : Number.POSITIVE_INFINITY;
  const trained = model.trainedContext || DEFAULT_CONTEXT;
  const total =
    asked.maxTotalTokens ??
    Math.min(2 * (asked.contextLength ?? Math.min(trained, DEFAULT_CONTEXT)), affordable);
  // Cells come in multiples of 256.
  const maxTotalTokens = Math.max(asked.contextLength ?? 0, Math.ceil(total / 256) * 256);
  const contextLength =
    asked.contextLength ?? Math.min(trained, DEFAULT_CONTEXT, asked.maxTotalTokens ?? maxTotalTokens);
  if (asked.maxTotalTokens !== undefined && contextLength > asked.maxTotalTokens) {
    const reason = `--context-length ${contextLength} does not fit into --max-total-tokens ${asked.maxTotalTokens}.`;
    throw failure('bad_option', { reason });
  }
  const kvBytes = bytesPerToken && Math.ceil(bytesPerToken * maxTotalTokens);
  // The library would try for minutes. What a GPU holds is not known here.
  if (!machine.gpu && (kvBytes ?? 0) * machine.ranks > machine.totalMemory) {
    const reason = `There is not enough memory for the KV cells of ${maxTotalTokens} tokens: lower --context-length or --max-total-tokens.`;
    throw failure('bad_option', { reason });
  }
  const maxRunningRequests = asked.maxRunningRequests ?? DEFAULT_RUNNING;
  if (maxRunningRequests > MOST_RUNNING) {
    throw failure('bad_option', { reason: `--max-running-requests can be ${MOST_RUNNING} at most.` });
  }
  // No step computes more tokens than there are cells.
  const fitting = (tokens: number) => Math.min(tokens, maxTotalTokens);
  const chunkedPrefillSize = fitting(asked.chunkedPrefillSize ?? (machine.gpu ? GPU_CHUNK : CPU_CHUNK));
  return {
    contextLength,
    maxTotalTokens,
    maxRunningRequests,
    chunkedPrefillSize,
    // A CPU computes attention for 64 tokens at a time, over the cells of all their sequences: three answers beside a
    // chunk of 128 tokens cost seven times as much as by themselves.
    mixedChunk: machine.gpu,
    maxPrefillTokens: fitting(
      asked.maxPrefillTokens ?? Math.max(machine.gpu ? GPU_PREFILL : CPU_PREFILL, chunkedPrefillSize),
    ),
    maxQueuedRequests: asked.maxQueuedRequests ?? DEFAULT_QUEUED,
    threads: asked.threads ?? defaultThreads(machine),
    kvBytes,
    hostBytes: hostBytes(asked.cache, kvBytes, machine),
    // A GPU computes attention in another way.
    swapWorthTokens: machine.gpu ? undefined : CPU_SWAP_WORTH_TOKENS,
    keepOnDevice: Math.min(
      maxTotalTokens,
      asked.cache.keepOnDevice ??
        (machine.gpu || !asked.cache.hierarchical ? maxTotalTokens : CPU_KEPT_TOKENS),
    ),
  };
}

function hostBytes(asked: RequestedCache, kvBytes: number | undefined, machine: Machine): number {
  if (!asked.hierarchical) return 0;
  const { hostRatio, totalMemory, freeMemory, ranks } = { ...asked, ...machine };
  const wanted = asked.hostBytes ?? (kvBytes ?? 0) * (hostRatio ?? DEFAULT_HOST_RATIO);
  const cells = machine.gpu ? 0 : (kvBytes ?? 0);
  if (asked.hostBytes === undefined && hostRatio === undefined)
    return Math.floor(Math.min(wanted, Math.max(0, freeMemory / ranks - cells) * HOST_MEMORY_SHARE));
  if ((wanted + cells) * ranks > totalMemory) {
    const flag = asked.hostBytes === undefined ? '--hicache-ratio' : '--hicache-size';
    const [needed, there] = [(wanted + cells) * ranks, totalMemory].map((bytes) => (bytes / 1e9).toFixed(1));
    throw failure('bad_option', {
      reason: `${flag} asks for more memory than there is: with the KV cells ${needed} GB of ${there} GB.`,
    });
  }
  return Math.floor(wanted);
}

/** Half of the logical cores where there are many: the second thread of a core only gets in the first one's way. */
function defaultThreads({ cores, ranks }: Machine): number {
  const physical = cores > 4 ? Math.ceil(cores / 2) : cores;
  return Math.max(1, Math.floor(physical / ranks));
}

/** Sequence ids besides those of running requests: each can hold one cached conversation in L1. */
const CACHED_SEQUENCES = 63;
/** llama.cpp's 256 without the one that pages are moved through. */
const MOST_SEQUENCES = 255;

export function sequences({ maxRunningRequests }: Limits): number {
  return Math.min(MOST_SEQUENCES, maxRunningRequests + CACHED_SEQUENCES);
}

/** Tokens of the largest batch that a step can build. */
export function batchTokens({ maxRunningRequests, chunkedPrefillSize, maxPrefillTokens }: Limits): number {
  return Math.max(maxRunningRequests + chunkedPrefillSize, maxPrefillTokens);
}
