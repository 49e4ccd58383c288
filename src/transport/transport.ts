/**
 * Carries messages between the server and one rank, whole and in order. Knows nothing of what they say.
 * A message is anything that the structured clone algorithm takes; typed arrays stay typed arrays.
 */
export interface Transport {
  /** Queues a message. Does nothing after the connection is gone: {@link onClose} tells the owner. */
  send(message: unknown): void;
  /** Called for every message, in order. Set once, before messages can arrive. */
  onMessage(listener: (message: unknown) => void): void;
  /**
   * Called once, when the connection is gone. The error is what a message listener threw, or what was wrong with
   * the stream; undefined when either side just closed.
   */
  onClose(listener: (error: Error | undefined) => void): void;
  close(): void;
}
