import { readFile } from 'node:fs/promises';
import type { BenchServer } from '../support/server.ts';

interface ServerInfo {
  ranks: { pid: number }[];
}

/** The process ids of a server's ranks, in their order. */
export async function rankPids({ url }: BenchServer): Promise<number[]> {
  const { ranks } = (await (await fetch(`${url}/server_info`)).json()) as ServerInfo;
  return ranks.map(({ pid }) => pid);
}

/** The memory of a process that is in RAM, in MiB. Linux tells. */
export async function residentMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** Bytes that a process has handed to `write` calls so far, to files, pipes and sockets. Linux tells. */
export async function writtenBytes(pid: number): Promise<number> {
  const io = await readFile(`/proc/${pid}/io`, 'utf8');
  return Number(/^wchar: (\d+)/m.exec(io)?.[1] ?? Number.NaN);
}
