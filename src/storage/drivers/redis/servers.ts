import type { Sender } from './link.ts';

/** The server, or the servers, that hold the values. */
export interface Servers {
  /** Connects and tries every command that will be used. Rejects with a {@link Problem}. */
  open(signal: AbortSignal): Promise<void>;
  /**
   * Does work where the key is, when there is room for so many bytes on the way; again on another node where the key
   * has moved to. Rejects with a {@link Problem}, or the signal's reason.
   */
  run<T>(key: string, bytes: number, signal: AbortSignal, work: (server: Sender) => Promise<T>): Promise<T>;
  /** One portion of the names of all keys, some more than once. */
  scan(cursor: string | undefined, signal: AbortSignal): Promise<Scanned>;
  close(): Promise<void>;
}

export interface Scanned {
  names: string[];
  next: string | undefined;
}
