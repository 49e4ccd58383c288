import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';

const MAIN = path.join(import.meta.dirname, '../../src/cli/main.ts');

export type Flags = Readonly<Record<`--${string}`, string | number | true>>;

/** A server process, started as an operator would start it. */
export interface BenchServer {
  readonly url: string;
  readonly pid: number;
  /** Ends it in order. */
  stop(): Promise<void>;
}

/** Starts a server on a free port, on the CPU; it logs warnings alone. */
export async function startServer(flags: Flags): Promise<BenchServer> {
  const all: Flags = { '--port': 0, '--gpu': 'off', '--log-level': 'warn', ...flags };
  const words = Object.entries(all).flatMap(([flag, value]) =>
    value === true ? [flag] : [flag, String(value)],
  );
  const child = spawn(process.execPath, [MAIN, 'serve', ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    void exited.then(() => reject(new Error('The server did not start.')));
  });
  return { url, pid: child.pid!, stop };
}

/** Starts servers, and stops all of them however the work ends. */
export async function withServers<T>(
  flags: readonly Flags[],
  work: (servers: readonly BenchServer[]) => Promise<T>,
): Promise<T> {
  const servers: BenchServer[] = [];
  try {
    for (const each of flags) servers.push(await startServer(each));
    return await work(servers);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

interface ServerInfo {
  ranks: { report?: { cache: { inFlight: { prefetch: number; backup: number }; queued: number } } }[];
}

/** Waits until nothing is on its way to or from the storage. */
export async function storageIdle(url: string): Promise<void> {
  for (;;) {
    const response = await fetch(`${url}/server_info`);
    const { ranks } = (await response.json()) as ServerInfo;
    const busy = ranks.some(({ report }) => {
      if (!report) return true;
      const { inFlight, queued } = report.cache;
      return inFlight.prefetch + inFlight.backup + queued > 0;
    });
    if (!busy) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Drops what L1 and L2 hold. */
export async function flushCache(url: string): Promise<void> {
  const response = await fetch(`${url}/flush_cache?timeout=30`, { method: 'POST' });
  if (!response.ok) throw new Error(`/flush_cache: status ${response.status}`);
}

/** What all series of a metric add up to, or those alone that have a label such as `op="write"`. */
export async function metric(url: string, name: string, label = ''): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const isMeant = (line: string) => line.startsWith(`${name}{`) || line.startsWith(`${name} `);
  const lines = text.split('\n').filter((line) => isMeant(line) && line.includes(label));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Processor time that a server and its ranks have taken, in milliseconds, on Linux. */
export async function processorTime({ pid }: BenchServer): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const processes = [pid, ...children.trim().split(' ').map(Number)];
  const times = await Promise.all(
    processes.map(async (process) => {
      const stat = await readFile(`/proc/${process}/stat`, 'utf8');
      // Behind the name, which may have spaces: utime and stime are fields 14 and 15, in hundredths of a second.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return 10 * (Number(fields[11]) + Number(fields[12]));
    }),
  );
  return times.reduce((sum, time) => sum + time, 0);
}
