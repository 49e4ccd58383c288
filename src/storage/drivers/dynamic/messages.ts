import type {
  Capabilities,
  HasResult,
  Listing,
  ReadResult,
  RemoveResult,
  WriteResult,
} from '../../driver.ts';

/** What a driver and the thread of its plugin say to each other. */

/** What the thread begins with. */
export interface PluginSetup {
  /** The module's `file:` URL. */
  url: string;
  className: string | undefined;
  exportName: string | undefined;
  /** The plugin's own. */
  options: Record<string, unknown>;
}

export type Request =
  | { operation: 'has'; keys: string[] }
  | { operation: 'remove'; keys: string[] }
  /** `room` is the bytes that the value may have. */
  | { operation: 'read'; reads: { key: string; room: number }[] }
  | { operation: 'write'; writes: { key: string; value: Uint8Array }[] }
  | { operation: 'list'; cursor: string | undefined }
  | { operation: 'close' };

/** A read's result, with the value, or its beginning where it is too long. */
export interface ReadAnswer {
  result: ReadResult;
  value?: Uint8Array;
}

export interface Answers {
  has: HasResult[];
  remove: RemoveResult[];
  read: ReadAnswer[];
  write: WriteResult[];
  list: Listing;
  close: undefined;
}

export type ToPlugin = { id: number; request: Request } | { abort: number };

export type FromPlugin =
  /** The first message, if it can be used. */
  | { opened: Capabilities }
  /** Why it cannot. */
  | { refused: string }
  | { id: number; answer: Answers[keyof Answers] }
  | { id: number; thrown: string }
  /** To every `abort`: the thread is not blocked. */
  | { heard: number };
