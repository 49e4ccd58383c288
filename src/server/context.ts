import type { Logger } from 'pino';
import type { ModelInfo } from '../engine/engine.ts';
import type { OperationMode } from '../shared/storage-messages.ts';
import type { ChatSupport } from '../tokenizer-manager/chat/chat-support.ts';
import type { StorageCoordinator } from '../tokenizer-manager/storage/storage-coordinator.ts';
import type { TokenizerManager } from '../tokenizer-manager/tokenizer-manager.ts';
import type { CacheReporter } from './answering.ts';
import type { Limits } from './limits.ts';
import type { Metrics } from './metrics.ts';

/** What every route may use. */
export interface ServerContext {
  manager: TokenizerManager;
  metrics: Metrics;
  log: Logger;
  /** The name that clients ask for. */
  servedModel: string;
  modelPath: string;
  model: ModelInfo;
  /** Unix time in seconds. */
  started: number;
  limits: Limits;
  cacheReporter: CacheReporter;
  /** Undefined where the model has none and none was given. */
  chat: ChatSupport | undefined;
  version: string;
  /** Options as they are in effect, without the keys. */
  publicOptions: () => Record<string, unknown>;
  storage: StorageCoordinator;
  /** Of storage operations that name none. */
  storageMode: OperationMode;
}
