import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { parseArgsStringToArgv } from 'string-argv';
import { systemClock } from '../shared/clock.ts';
import { peakMemory } from './process-memory.ts';
import { isReady } from './served.ts';

/** How often a server that starts is asked whether it is ready: there is no event for it. */
const ASK_EVERY_MS = 100;
/** What a server may take to end, before it is killed. */
const GRACE_MS = 60_000;
const LINES = 20;
const LAST_LINES_MS = 1_000;

/** What a server wrote last, and why that matters. */
export class ServerDied extends Error {
  override readonly name = 'ServerDied';
  readonly lastLines: readonly string[];

  constructor(message: string, lastLines: readonly string[]) {
    super(message);
    this.lastLines = lastLines;
  }
}

/** A server of a command line. Whoever starts it stops it; it does not outlive this process in any case. */
export class ServerProcess {
  readonly url: string;
  /** Aborts, with a {@link ServerDied}, when it ends by itself. */
  readonly died: AbortSignal;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #lines: string[] = [];
  #stopping = false;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
    const died = new AbortController();
    this.died = died.signal;
    for (const stream of [child.stdout, child.stderr])
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#keep(line));
    const killAtExit = () => this.#killGroup();
    // Before what removes its folder.
    process.prependOnceListener('exit', killAtExit);
    this.#exited = new Promise<void>((resolve) => {
      const end = (how: string) => {
        if (!this.#stopping) died.abort(this.#death(`The server ended by itself (${how}).`));
        resolve();
      };
      child.once('error', (error) => {
        died.abort(this.#death(`The server cannot be started: ${error.message}.`));
        resolve();
      });
      child.once('exit', async (code, signal) => {
        // What it wrote last is there by then, unless a child of its own holds the pipe.
        await Promise.race([once(child, 'close'), systemClock.sleep(LAST_LINES_MS)]);
        end(signal ?? `status ${code}`);
      });
    }).finally(() => process.off('exit', killAtExit));
  }

  /**
   * Starts it, and waits until it serves.
   *
   * @param command with `{port}`, and perhaps `{dir}`
   * @param folder what `{dir}` stands for
   * @throws {@link ServerDied}, or the reason of the signal
   */
  static async start(
    command: string,
    folder: string,
    { apiKey, seconds, signal }: { apiKey: string | undefined; seconds: number; signal: AbortSignal },
  ): Promise<ServerProcess> {
    const port = await freePort();
    const words = parseArgsStringToArgv(command).map((word) =>
      word.replaceAll('{port}', String(port)).replaceAll('{dir}', folder),
    );
    // In a group of its own: Ctrl-C in a terminal is for this process, which ends the server in order.
    const child = spawn(words[0] ?? '', words.slice(1), {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const server = new ServerProcess(child, `http://127.0.0.1:${port}`);
    try {
      await server.#ready(apiKey, seconds, signal);
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** @throws {@link ServerDied} when it has ended, or does so in the next moment */
  async checkAlive(): Promise<void> {
    await Promise.race([this.#exited, systemClock.sleep(LAST_LINES_MS)]);
    this.died.throwIfAborted();
  }

  /** The most memory that its processes had so far, in bytes; undefined where it cannot be known. */
  peakMemory(): Promise<number | undefined> {
    return this.#child.pid === undefined ? Promise.resolve(undefined) : peakMemory(this.#child.pid);
  }

  /** Ends it in order, or at once when that takes too long. Nothing of its group is left. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#child.kill('SIGTERM');
    const late = new AbortController();
    const patience = systemClock.sleep(GRACE_MS, late.signal).then(() => this.#killGroup());
    await this.#exited;
    late.abort();
    await patience;
  }

  async #ready(apiKey: string | undefined, seconds: number, signal: AbortSignal): Promise<void> {
    const late = AbortSignal.timeout(seconds * 1000);
    const any = AbortSignal.any([signal, this.died, late]);
    try {
      while (!(await isReady({ url: this.url, apiKey }, any))) {
        await systemClock.sleep(ASK_EVERY_MS, any);
        any.throwIfAborted();
      }
    } catch (error) {
      if (any.reason !== late.reason) throw error;
      throw this.#death(`The server is not ready after ${seconds} s.`);
    }
  }

  #death(message: string): ServerDied {
    return new ServerDied(message, [...this.#lines]);
  }

  #keep(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > LINES) this.#lines.shift();
  }

  #killGroup(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // All of it has ended.
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}
