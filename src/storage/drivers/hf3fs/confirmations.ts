import { type MetadataService, type Outcome, ServiceError } from './metadata-service.ts';

/**
 * Tells the service what became of places. Where its answer is lost, nobody knows whether it has heard: a place that is
 * said to be free once more may be another key's by then, and one that is never spoken of again is lost.
 */
export class Confirmations {
  readonly #service: MetadataService;
  #unanswered: Outcome | undefined;

  constructor(service: MetadataService) {
    this.#service = service;
  }

  /** Throws as {@link MetadataService.confirm}; then it must be {@link settle}d before more is reserved. */
  async confirm(outcome: Outcome, signal: AbortSignal): Promise<void> {
    this.#unanswered = outcome;
    await this.#service.confirm(outcome, signal);
    this.#unanswered = undefined;
  }

  /**
   * Finds out whether the last confirmation was heard, and repeats it if it was not. One that the service does not accept
   * is given up, as by one that was restarted with another file: it would not accept it later. Throws as the service does.
   */
  async settle(signal: AbortSignal): Promise<void> {
    if (!this.#unanswered) return;
    const { written, released } = this.#unanswered;
    const keys = written.map(([key]) => key);
    // Without a key nothing tells whether it was heard: rather lose places than give them to two keys.
    const known = keys.length > 0 ? await this.#service.indices(keys, signal) : [];
    const wasHeard = keys.length === 0 || written.some(([, index], i) => index === known[i]);
    if (wasHeard) this.#unanswered = undefined;
    else {
      const isNew = written.map((_, i) => known[i] === undefined);
      const others = written.filter((_, i) => !isNew[i]).map(([, index]) => index);
      const again = { written: written.filter((_, i) => isNew[i]), released: [...released, ...others] };
      await this.confirm(again, signal).catch((error) => {
        if (!(error instanceof ServiceError) || error.isUnreachable) throw error;
        this.#unanswered = undefined;
      });
    }
  }
}
