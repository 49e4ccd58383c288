import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from './find-program.ts';

const START_MS = 30_000;
const STOP_MS = 5_000;

/** A server program that a test runs on loopback. */
export interface Service {
  pid: number;
  /** Asks it to end, and kills it when it does not. Resolves when it is gone. */
  stop(): Promise<void>;
  /** As kill -9, -STOP and -CONT. */
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
}

/**
 * Starts an installed program and waits until it answers. What it prints comes with the error when it ends before.
 *
 * @param isReady asked again and again; resolves to false, or rejects, while it is not
 */
export async function startService(
  program: string,
  args: readonly string[],
  isReady: () => Promise<boolean>,
): Promise<Service> {
  const file = findProgram(program);
  if (!file) throw new Error(`${program} is not installed`);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => (printed = `${printed}${data}`.slice(-4000)));
  const until = Date.now() + START_MS;
  while (!(await isReady().catch(() => false))) {
    const ended = child.exitCode !== null || child.signalCode !== null;
    if (!ended && Date.now() < until) {
      await sleep(50);
      continue;
    }
    await stop(child);
    throw new Error(`${program} ${ended ? 'ended' : 'did not answer'}: ${printed}`);
  }
  return {
    pid: child.pid!,
    stop: () => stop(child),
    signal: (signal) => void child.kill(signal),
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGCONT');
  child.kill('SIGTERM');
  const late = new AbortController();
  void sleep(STOP_MS, undefined, { signal: late.signal }).then(
    () => child.kill('SIGKILL'),
    () => undefined,
  );
  await ended;
  late.abort();
}

/** Ports of loopback that nobody listens on now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => {
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('no port');
    return address.port;
  });
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
