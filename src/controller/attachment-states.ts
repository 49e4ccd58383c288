import type { AttachmentState } from '../shared/storage-messages.ts';

/**
 * The life of one attachment, and every way from one state to the next. There is no other place that says so.
 *
 * ```
 * detached → preparing → prepared → attached → draining → detached
 *                └→ failed    └────────────────↗
 * ```
 *
 * What failed has nothing open any more; to try again is to prepare another attachment.
 */
const NEXT: Record<AttachmentState, readonly AttachmentState[]> = {
  detached: ['preparing'],
  preparing: ['prepared', 'failed'],
  prepared: ['attached', 'draining'],
  attached: ['draining'],
  draining: ['detached'],
  failed: [],
};

/** Where an attachment is in its life. */
export class AttachmentLife {
  #state: AttachmentState = 'detached';

  get state(): AttachmentState {
    return this.#state;
  }

  /** Throws where the table has no such way: that is a mistake of this program. */
  go(next: AttachmentState): void {
    if (!NEXT[this.#state].includes(next))
      throw new Error(`An attachment does not go from ${this.#state} to ${next}.`);
    this.#state = next;
  }
}
