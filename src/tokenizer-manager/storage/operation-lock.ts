import { failure } from '../../shared/errors.ts';

/** An operation on the storage that is under way. */
export interface RunningOperation {
  readonly id: number;
  /** What was asked for, such as `attach`. */
  readonly kind: string;
  readonly backend: string | undefined;
  readonly mode: string | undefined;
  /** Unix time in milliseconds. */
  readonly startedAt: number;
}

/**
 * Operations come one at a time: another one is refused. A rank that joins waits for the one under way to end, and the
 * next one waits until it has joined, so no operation meets a rank in between.
 */
export class OperationLock {
  #current: (RunningOperation & { ended: Promise<void>; end: () => void }) | undefined;
  readonly #joining = new Set<Promise<void>>();

  get current(): RunningOperation | undefined {
    return this.#current;
  }

  /**
   * Runs an operation; throws `operation_in_progress`, naming the other one.
   *
   * @param work is told when all ranks have joined that are about to; it begins then
   */
  async run<T>(operation: RunningOperation, work: (joined: Promise<unknown>) => Promise<T>): Promise<T> {
    const other = this.#current;
    if (other) {
      const { ended: _, end: __, ...details } = other;
      throw failure(
        'operation_in_progress',
        { kind: other.kind, operation: other.id },
        { details: { operation: details } },
      );
    }
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    this.#current = { ...operation, ended, end };
    try {
      return await work(Promise.all(this.#joining));
    } finally {
      this.#current = undefined;
      end();
    }
  }

  /** Runs what brings one rank up, between operations. It never rejects. */
  async join(work: () => Promise<void>): Promise<void> {
    while (this.#current) await this.#current.ended;
    const joined = work().finally(() => this.#joining.delete(joined));
    this.#joining.add(joined);
    await joined;
  }
}
