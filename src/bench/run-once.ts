import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Target } from './measure.ts';
import type { Recorded } from './records.ts';
import type { Run } from './report.ts';
import { lookAt } from './served.ts';
import { ServerDied, ServerProcess } from './server-process.ts';
import { Session } from './session.ts';
import type { Workload } from './workload.ts';

/** Counts of requests. */
export interface RunProgress {
  done: number;
  /** 0 while the server starts. */
  expected: number;
  failed: number;
}

export interface RunSettings {
  seed: number;
  round: number;
  apiKey: string | undefined;
  requestSeconds: number;
  startSeconds: number;
  signal: AbortSignal;
  onProgress(progress: RunProgress): void;
}

type RunOnce = Omit<Run, 'label' | 'round' | 'phases'> & { parts: Recorded[] };

/** Runs a workload on one server once; one that has to be started is started and stopped. */
export async function runOnce<Options>(
  workload: Workload<Options>,
  options: Options,
  target: Target,
  settings: RunSettings,
): Promise<RunOnce> {
  await using server = await RunServer.of(target, settings);
  let session: Session | undefined;
  const result = (problem: string | null, lastLines: readonly string[] = []): RunOnce => ({
    exactTokens: session?.exactTokens ?? null,
    problem,
    lastLines: [...lastLines],
    peakMemoryBytes: server.peakMemoryBytes ?? null,
    parts: session?.parts ?? [],
    findings: session?.findings ?? {},
  });
  try {
    await server.start();
    session = new Session({
      ...settings,
      seed: `${settings.seed}, round ${settings.round}`,
      signal: server.ended,
      served: await lookAt(server.address(), server.ended),
      address: () => server.address(),
      restart: target.command === null ? undefined : () => server.restart(),
    });
    await session.warmUp();
    await workload.run(session, options);
    await server.noteMemory();
    // A request may fail before it is known that the server has died.
    if (session.parts.some(({ failed }) => failed.length > 0)) await server.checkAlive();
    return result(null);
  } catch (error) {
    await server.noteMemory();
    if (error instanceof ServerDied) return result(error.message, error.lastLines);
    if (settings.signal.aborted) return result('It was interrupted.');
    throw error;
  }
}

/** The server of a run, through its restarts. */
class RunServer implements AsyncDisposable {
  peakMemoryBytes: number | undefined;
  readonly #target: Target;
  readonly #settings: RunSettings;
  /** Of servers that keep something; empty for others. */
  readonly #folder: string;
  readonly #ended = new AbortController();
  #process: ServerProcess | undefined;

  private constructor(target: Target, settings: RunSettings, folder: string) {
    this.#target = target;
    this.#settings = settings;
    this.#folder = folder;
    process.once('exit', this.#removeFolder);
  }

  static async of(target: Target, settings: RunSettings): Promise<RunServer> {
    const keeps = target.command?.includes('{dir}') ?? false;
    const folder = keeps ? await mkdtemp(path.join(os.tmpdir(), 'tierkv-bench-')) : '';
    return new RunServer(target, settings, folder);
  }

  /** Aborts when the run cannot go on: with the reason of the settings' signal, or a {@link ServerDied}. */
  get ended(): AbortSignal {
    return AbortSignal.any([this.#settings.signal, this.#ended.signal]);
  }

  address() {
    const { apiKey } = this.#settings;
    return { url: this.#process?.url ?? this.#target.url ?? '', apiKey };
  }

  async start(): Promise<void> {
    const { command } = this.#target;
    if (command === null) return;
    const { apiKey, startSeconds, signal } = this.#settings;
    const options = { apiKey, seconds: startSeconds, signal };
    this.#process = await ServerProcess.start(command, this.#folder, options);
    const { died } = this.#process;
    died.addEventListener('abort', () => this.#ended.abort(died.reason), { once: true });
    if (died.aborted) this.#ended.abort(died.reason);
  }

  async restart(): Promise<void> {
    await this.noteMemory();
    await this.#stop();
    await this.start();
  }

  /** @throws {@link ServerDied} */
  async checkAlive(): Promise<void> {
    await this.#process?.checkAlive();
  }

  async noteMemory(): Promise<void> {
    const peak = await this.#process?.peakMemory();
    if (peak !== undefined) this.peakMemoryBytes = Math.max(peak, this.peakMemoryBytes ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    process.off('exit', this.#removeFolder);
    this.#removeFolder();
  }

  /** At once, as it is done when the process ends without waiting for anything, too. */
  readonly #removeFolder = (): void => {
    if (this.#folder !== '') rmSync(this.#folder, { recursive: true, force: true });
  };

  async #stop(): Promise<void> {
    const stopping = this.#process;
    this.#process = undefined;
    await stopping?.stop();
  }
}
