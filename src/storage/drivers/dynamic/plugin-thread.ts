import { Worker } from 'node:worker_threads';
import type { Capabilities } from '../../driver.ts';
import type { Answers, FromPlugin, PluginSetup, Request, ToPlugin } from './messages.ts';

/** So long may the thread take to hear that a call was aborted; then something in it never returns. */
const DEAF_MS = 5_000;
/** So long may a plugin take to end a call that was aborted: until then the thread holds what it reads or writes. */
const ENDLESS_MS = 10_000;
/** So long may a plugin take to close. */
const CLOSE_MS = 2_000;
/** Of JavaScript objects, which buffers are not. */
const HEAP_MB = 512;

interface Waiting {
  resolve(answer: never): void;
  reject(error: unknown): void;
}

/** The thread is gone, or cannot be had. */
export class ThreadEnded extends Error {
  override readonly name = 'ThreadEnded';
}

/**
 * A plugin in a thread of its own, for one life of it: what it throws, blocks or leaks is its own, and no buffer of
 * anybody else's comes near it. Its modules are loaded anew with every thread, and freed with it.
 */
export class PluginThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #opened = Promise.withResolvers<Capabilities>();
  readonly #exited: Promise<void>;
  #capabilities: Capabilities = { batch: 1, largestValue: 1, list: false };
  #ended: ThreadEnded | undefined;
  #deaf: NodeJS.Timeout | undefined;
  /** Of calls that were aborted and have not ended. */
  readonly #endless = new Map<number, NodeJS.Timeout>();
  #calls = 0;

  private constructor(setup: PluginSetup) {
    // The sources run as they are; the published package holds them compiled.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const worker = new Worker(new URL(`./plugin-worker.${extension}`, import.meta.url), {
      workerData: setup,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
      // What the process writes to stdout is for programs.
      stdout: true,
    });
    this.#worker = worker;
    worker.stdout.on('data', (text: Uint8Array) => void process.stderr.write(text));
    worker.on('message', (message: FromPlugin) => this.#receive(message));
    worker.on('error', (error: unknown) => this.#end(`it failed: ${textOf(error)}`));
    this.#exited = new Promise((resolve) => {
      worker.once('exit', (code) => {
        this.#end(`it ended by itself with status ${code}`);
        resolve();
      });
    });
    this.#opened.promise.catch(() => undefined);
  }

  /** Loads, makes and opens a plugin. Rejects with why it cannot be used, or with the signal's reason; then it is gone. */
  static async start(setup: PluginSetup, signal: AbortSignal): Promise<PluginThread> {
    signal.throwIfAborted();
    const thread = new PluginThread(setup);
    const abort = () => thread.#opened.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      thread.#capabilities = await thread.#opened.promise;
      return thread;
    } catch (error) {
      await thread.#terminate();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  get capabilities(): Capabilities {
    return this.#capabilities;
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /**
   * Rejects with what the plugin threw, with {@link ThreadEnded}, or with the signal's reason as soon as it aborts.
   *
   * @param given buffers of the request that belong to the plugin from now on
   */
  async call<R extends Request>(
    request: R,
    given: ArrayBuffer[],
    signal: AbortSignal,
  ): Promise<Answers[R['operation']]> {
    signal.throwIfAborted();
    if (this.#ended) throw this.#ended;
    const id = ++this.#calls;
    const { promise, resolve, reject } = Promise.withResolvers<Answers[R['operation']]>();
    this.#waiting.set(id, { resolve, reject });
    const abort = () => {
      reject(signal.reason);
      this.#abort(id);
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      this.#post({ id, request }, given);
      return await promise;
    } finally {
      signal.removeEventListener('abort', abort);
      this.#waiting.delete(id);
    }
  }

  /** Lets the plugin close, and ends the thread, whatever the plugin does. Never rejects. */
  async close(): Promise<void> {
    await this.call({ operation: 'close' }, [], AbortSignal.timeout(CLOSE_MS)).catch(() => undefined);
    await this.#terminate();
  }

  #receive(message: FromPlugin): void {
    clearTimeout(this.#deaf);
    this.#deaf = undefined;
    if ('opened' in message) return this.#opened.resolve(message.opened);
    if ('refused' in message) return this.#opened.reject(new Error(message.refused));
    if ('heard' in message) return;
    clearTimeout(this.#endless.get(message.id));
    this.#endless.delete(message.id);
    const waiting = this.#waiting.get(message.id);
    if ('answer' in message) waiting?.resolve(message.answer as never);
    else waiting?.reject(new Error(message.thrown));
  }

  #abort(id: number): void {
    if (this.#ended) return;
    this.#post({ abort: id }, []);
    this.#deaf ??= this.#endAfter(DEAF_MS, 'it was blocked, and was ended');
    this.#endless.set(
      id,
      this.#endAfter(ENDLESS_MS, 'an aborted call did not end, and the thread was ended'),
    );
  }

  #endAfter(milliseconds: number, reason: string): NodeJS.Timeout {
    return setTimeout(() => {
      this.#end(reason);
      void this.#terminate();
    }, milliseconds).unref();
  }

  #post(message: ToPlugin, transfer: ArrayBuffer[]): void {
    this.#worker.postMessage(message, transfer);
  }

  /** The first reason stays. */
  #end(reason: string): void {
    clearTimeout(this.#deaf);
    for (const timer of this.#endless.values()) clearTimeout(timer);
    this.#ended ??= new ThreadEnded(`The plugin's thread is gone: ${reason}.`);
    this.#opened.reject(this.#ended);
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
  }

  async #terminate(): Promise<void> {
    await this.#worker.terminate();
    await this.#exited;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
