import { readdir, readFile } from 'node:fs/promises';

/**
 * What the processes that descend from this one, and itself, had of memory at most, each by itself, in bytes
 * (`VmHWM`). Undefined where there is no /proc, or it has ended.
 */
export async function peakMemory(pid: number): Promise<number | undefined> {
  const own = await peakOf(pid);
  if (own === undefined) return undefined;
  const peaks = await Promise.all((await childrenOf(pid)).map(peakMemory));
  return peaks.reduce<number>((sum, peak) => sum + (peak ?? 0), own);
}

async function peakOf(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const [, kib] = /^VmHWM:\s*(\d+) kB$/m.exec(status) ?? [];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

/** A thread's children are those that it has started. */
async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')),
  );
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
}
