import type { PreparedChange, StorageControl } from '../cache/storage-control.ts';
import type { Clock } from '../shared/clock.ts';
import { failure, toFailure } from '../shared/errors.ts';
import type { StorageAnswer, StorageRequest, StorageStatus } from '../shared/storage-messages.ts';
import { whatBlocks } from '../shared/what-blocks.ts';
import type { Scheduler } from './scheduler.ts';

type Asked<K extends StorageRequest['kind']> = Extract<StorageRequest, { kind: K }>;

/** An operation between `prepare` and its end. */
interface Operation {
  readonly number: number;
  readonly ended: AbortController;
  /** Undefined while it is being prepared. */
  prepared: PreparedChange | undefined;
}

/**
 * Changes of the storage on this rank, as the server asks for them: prepared, then committed or aborted. There is one
 * at a time; a newer one ends an older one that nobody has ended. What is neither committed nor aborted in its time ends
 * by itself, so a lost message leaves nothing behind.
 */
export class StorageOperations {
  readonly #scheduler: Scheduler;
  /** Undefined where there is no L2 that pages could come to. */
  readonly #control: StorageControl | undefined;
  readonly #clock: Clock;
  #operation: Operation | undefined;
  #newest = 0;
  /** The operation that was committed last: its commit may come once more. */
  #committed = 0;

  constructor(scheduler: Scheduler, control: StorageControl | undefined, clock: Clock) {
    this.#scheduler = scheduler;
    this.#control = control;
    this.#clock = clock;
  }

  /** Answers every request. Never rejects. */
  async handle(request: StorageRequest): Promise<StorageAnswer> {
    try {
      if (!this.#control) throw failure('hierarchical_cache_disabled', undefined);
      return await this.#answer(this.#control, request);
    } catch (error) {
      const { code, message } = toFailure(error);
      return { kind: 'refused', code, message };
    }
  }

  /** Undefined where there is no L2. */
  status(): StorageStatus | undefined {
    return this.#control && this.#statusOf(this.#control);
  }

  /** Ends what is under way, and detaches. For a rank that ends. */
  async close(graceMs: number): Promise<void> {
    await this.#end(this.#operation);
    await this.#control?.close(graceMs);
  }

  async #answer(control: StorageControl, request: StorageRequest): Promise<StorageAnswer> {
    switch (request.kind) {
      case 'prepare':
        return this.#prepare(control, request);
      case 'hold':
        return this.#hold(request);
      case 'commit':
        return this.#commit(control, request);
      case 'abort':
        if (this.#operation?.number === request.operation) await this.#end(this.#operation);
        return { kind: 'done' };
      case 'settle':
        await control.settled();
        return { kind: 'done' };
      case 'status':
        return { kind: 'status', status: this.#statusOf(control) };
      case 'check': {
        const { change, milliseconds } = request;
        return { kind: 'checked', checks: await this.#within(milliseconds, (s) => control.check(change, s)) };
      }
      case 'clear': {
        const { scope, milliseconds } = request;
        const { problem, ...counts } = await this.#within(milliseconds, (s) => control.clear(scope, s));
        return { kind: 'cleared', ...counts, problem: problem ?? null };
      }
      case 'breaker':
        control.setBreaker(request.state);
        return { kind: 'done' };
    }
  }

  #statusOf(control: StorageControl): StorageStatus {
    return { ...control.status(), blockedBy: whatBlocks(this.#scheduler.report()) };
  }

  async #prepare(control: StorageControl, request: Asked<'prepare'>): Promise<StorageAnswer> {
    const { operation: number, mode, change, epoch, fingerprint, milliseconds } = request;
    // One that comes late must not end a newer one.
    if (number <= this.#newest) throw failure('operation_over', { operation: number });
    this.#newest = number;
    void this.#end(this.#operation);
    if (mode === 'idle') this.#refuseUnlessIdle(change.kind);
    const operation: Operation = { number, ended: new AbortController(), prepared: undefined };
    this.#operation = operation;
    void this.#expire(operation, milliseconds);
    let prepared: PreparedChange;
    try {
      prepared = await control.prepare(change, epoch, fingerprint, operation.ended.signal);
    } catch (error) {
      await this.#end(operation);
      throw error;
    }
    if (operation.ended.signal.aborted) {
      await control.release(prepared);
      throw failure('operation_over', { operation: number });
    }
    operation.prepared = prepared;
    const { action, settings } = prepared.plan;
    return { kind: 'prepared', action, settings };
  }

  #refuseUnlessIdle(kind: string): void {
    const report = this.#scheduler.report();
    const blockers = whatBlocks(report);
    if (blockers.length === 0) return;
    const { running, waiting, compilingGrammars } = report;
    throw failure('scheduler_not_idle', {
      kind,
      queued: waiting + compilingGrammars,
      running,
      blockers: blockers.join(', '),
    });
  }

  async #hold({ operation: number }: Asked<'hold'>): Promise<StorageAnswer> {
    const operation = this.#known(number);
    await this.#scheduler.drain(operation.ended.signal);
    this.#known(number);
    return { kind: 'done' };
  }

  #commit(control: StorageControl, { operation: number, graceMilliseconds }: Asked<'commit'>): StorageAnswer {
    if (number === this.#committed) return { kind: 'done' };
    const operation = this.#known(number);
    if (!operation.prepared) throw failure('operation_over', { operation: number });
    control.commit(operation.prepared, graceMilliseconds);
    operation.prepared = undefined;
    this.#committed = number;
    void this.#end(operation);
    return { kind: 'done' };
  }

  #known(number: number): Operation {
    if (this.#operation?.number !== number) throw failure('operation_over', { operation: number });
    return this.#operation;
  }

  async #expire(operation: Operation, milliseconds: number): Promise<void> {
    await this.#clock.sleep(milliseconds, operation.ended.signal);
    if (!operation.ended.signal.aborted) await this.#end(operation);
  }

  /** The one way out of an operation: whatever it held is let go of. */
  async #end(operation: Operation | undefined): Promise<void> {
    if (!operation || operation !== this.#operation) return;
    this.#operation = undefined;
    operation.ended.abort();
    this.#scheduler.resume();
    if (operation.prepared) await this.#control?.release(operation.prepared);
  }

  async #within<T>(milliseconds: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController();
    const timer = new AbortController();
    void this.#clock.sleep(milliseconds, timer.signal).then(() => late.abort());
    return work(late.signal).finally(() => timer.abort());
  }
}
