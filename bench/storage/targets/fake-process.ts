import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

export interface FakeProcess {
  url: string;
  stop(): void;
}

/** A store that is none, in a process of its own: what it costs is not on the thread that is measured. */
export async function startFake(kind: 's3' | 'mooncake'): Promise<FakeProcess> {
  const child = fork(path.join(import.meta.dirname, 'fake-server.ts'), [kind]);
  const [url] = await once(child, 'message');
  return { url: String(url), stop: () => void child.kill() };
}
