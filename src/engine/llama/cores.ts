import { readdirSync, readFileSync } from 'node:fs';
import koffi from 'koffi';

/** Bytes of cpu_set_t, with a bit for each core: sched_setaffinity(2). */
const SET_BYTES = 128;
/** As libuv calls the threads of its pool. */
const POOL_THREAD = 'libuv-worker';

/** The cores that this process may run on; none where that is not known, which is everywhere but on Linux. */
export function usableCores(): number[] {
  if (process.platform !== 'linux') return [];
  return parseCores(
    /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '',
  );
}

/** Reads a list such as `0-3,8`. */
export function parseCores(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    if (range.trim() === '' || first === undefined || last === undefined) return [];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** Keeps the threads that asynchronous calls of the library come from on one core, on Linux. */
export function keepCallersOn(core: number): void {
  const setAffinity = koffi
    .load('libc.so.6')
    .func('int sched_setaffinity(int thread, size_t bytes, const void *set)');
  const set = Buffer.alloc(SET_BYTES);
  set.writeUInt8(1 << (core % 8), core >> 3);
  for (const thread of readdirSync('/proc/self/task')) {
    if (nameOf(thread) === POOL_THREAD) setAffinity(Number(thread), SET_BYTES, set);
  }
}

function nameOf(thread: string): string {
  try {
    return readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim();
  } catch {
    // It has ended.
    return '';
  }
}
