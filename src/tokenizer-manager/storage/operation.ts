import type { OperationMode, StorageStatus } from '../../shared/storage-messages.ts';
import type { RunningOperation } from './operation-lock.ts';
import type { RankMessage } from './rank-answers.ts';

/** Who asked for an operation: the name of a key, or of a part of the server; never a key. */
export interface Caller {
  key: string;
  address?: string;
  requestId?: string;
}

/** How an operation is to be carried out, and who asked for it. */
export interface OperationOrder {
  mode: OperationMode;
  /** For all of it, on all ranks. */
  timeoutMs: number;
  by: Caller;
}

/** What is said of an operation in the log. Holds no secret. */
export interface OperationRecord {
  operation: RunningOperation;
  by: Caller;
  /** `ok`, the code of the error, or `failed` where a backend that was tried out does not work. */
  outcome: string;
  milliseconds: number;
  ranks: readonly RankMessage[];
}

/** An operation that happened, on every rank. */
export interface OperationReport<R extends RankMessage = RankMessage> {
  id: number;
  milliseconds: number;
  ranks: R[];
}

/** What was cleared on a rank. */
export interface ClearedRank extends RankMessage {
  removed: number;
}

/** What one rank says of its storage. */
export interface RankStorage {
  rank: number;
  /** Of its attachment; else why there is no status: `disabled`, `no answer`, or what the rank itself is, such as `down`. */
  state: string;
  status: StorageStatus | undefined;
}
