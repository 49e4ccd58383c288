import { withDeadline } from '../shared/deadline.ts';
import { failure } from '../shared/errors.ts';
import type { FromRankMessage } from '../shared/messages.ts';

export type CallAnswer = Extract<
  FromRankMessage,
  { type: 'inspected' | 'scraped' | 'flushed' | 'storage-answered' }
>;

interface Waiting {
  answer(message: CallAnswer): void;
  lost(): void;
}

/** What waits for an answer of one rank, by the number of the call. */
export class RankCalls {
  readonly #rank: number;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  constructor(rank: number) {
    this.#rank = rank;
  }

  /**
   * Sends a question and waits for its answer. Rejects with `deadline_exceeded`, and with `rank_failed` when the rank
   * ends before.
   *
   * @param send sends the question with the number of the call
   */
  async call<T extends CallAnswer['type']>(
    type: T,
    deadlineMs: number,
    send: (call: number) => void,
  ): Promise<Extract<CallAnswer, { type: T }>> {
    const call = this.#last++;
    const { promise, resolve, reject } = Promise.withResolvers<Extract<CallAnswer, { type: T }>>();
    this.#waiting.set(call, {
      answer: (message) => {
        if (isOfType(message, type)) resolve(message);
      },
      lost: () => reject(failure('rank_failed', { rank: this.#rank, reason: 'it ended' })),
    });
    send(call);
    const params = { what: `Asking rank ${this.#rank}`, seconds: deadlineMs / 1000 };
    return withDeadline(promise, deadlineMs, 'deadline_exceeded', params).finally(() =>
      this.#waiting.delete(call),
    );
  }

  answered(message: CallAnswer): void {
    this.#waiting.get(message.call)?.answer(message);
  }

  /** The rank has ended: nothing answers any more. */
  lost(): void {
    for (const { lost } of this.#waiting.values()) lost();
  }
}

function isOfType<T extends CallAnswer['type']>(
  message: CallAnswer,
  type: T,
): message is Extract<CallAnswer, { type: T }> {
  return message.type === type;
}
