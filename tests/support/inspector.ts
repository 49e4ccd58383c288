import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where Node listens that was asked to with a signal. */
const TARGETS = 'http://127.0.0.1:9229/json/list';

interface Message {
  id?: number;
  method?: string;
  params?: unknown;
  result?: unknown;
}

/**
 * A connection to the inspector of another Node process of this machine, also of one that is in a loop which never ends.
 * One process at a time can be asked.
 */
export class Inspector {
  readonly #socket: WebSocket;
  #calls = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  static async connect(pid: number, signal: AbortSignal): Promise<Inspector> {
    process.kill(pid, 'SIGUSR1');
    const socket = new WebSocket(await addressOf(signal));
    await once(socket, 'open', { signal });
    return new Inspector(socket);
  }

  on(method: string, listener: (params: unknown) => void): void {
    this.#listen((message) => {
      if (message.method === method) listener(message.params);
    });
  }

  /** The result; one that never comes is waited for until the signal aborts. */
  async call(method: string, params: object, signal: AbortSignal): Promise<unknown> {
    const id = ++this.#calls;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#listen((message) => {
      if (message.id === id) resolve(message.result);
    });
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    this.#socket.send(JSON.stringify({ id, method, params }));
    return await promise;
  }

  /** The value of an expression in the process, or of its promise, which must be one that JSON can say. */
  async evaluate(expression: string, signal: AbortSignal): Promise<unknown> {
    const answer = await this.call(
      'Runtime.evaluate',
      { expression, returnByValue: true, awaitPromise: true },
      signal,
    );
    return (answer as { result: { value?: unknown } }).result.value;
  }

  close(): void {
    this.#socket.close();
  }

  #listen(listener: (message: Message) => void): void {
    this.#socket.addEventListener('message', ({ data }) => listener(JSON.parse(String(data)) as Message));
  }
}

async function addressOf(signal: AbortSignal): Promise<string> {
  for (;;) {
    signal.throwIfAborted();
    const answer = await fetch(TARGETS, { signal }).catch(() => undefined);
    const [target] = ((await answer?.json()) ?? []) as { webSocketDebuggerUrl: string }[];
    if (target) return target.webSocketDebuggerUrl;
    await sleep(100);
  }
}
