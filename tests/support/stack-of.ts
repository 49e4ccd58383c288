import { setTimeout as sleep } from 'node:timers/promises';
import { Inspector } from './inspector.ts';

const PATIENCE_MS = 10_000;
/** What keeps the process, and what it has asked the test runner without an answer, if its events go on at all. */
const WAITS_FOR = `new Promise((resolve) => setTimeout(resolve, 100)).then(() => [
  ...process.getActiveResourcesInfo(),
  ...(globalThis.__vitest_worker__?.rpc.$rejectPendingCalls(({ method }) => 'asked ' + method) ?? []),
].join(', '))`;

interface Frame {
  functionName: string;
  location: { scriptId: string; lineNumber: number };
}

export interface Place {
  stack: string;
  /** Set when its events go on, so that it runs no code that never ends, or when it is gone. */
  waitsFor: string | undefined;
}

/** Where another Node process of this machine is, also where it is in a loop that never ends. The process stays stopped. */
export async function placeOf(pid: number): Promise<Place> {
  let waitsFor: string | undefined;
  const patience = AbortSignal.timeout(PATIENCE_MS);
  try {
    const inspector = await Inspector.connect(pid, patience);
    const turned = inspector.evaluate(WAITS_FOR, patience).then((value) => (waitsFor = String(value)));
    turned.catch(() => undefined);
    await Promise.race([turned, sleep(PATIENCE_MS / 2)]);
    const files = new Map<string, string>();
    inspector.on('Debugger.scriptParsed', (params) => {
      const { scriptId, url } = params as { scriptId: string; url: string };
      files.set(scriptId, url);
    });
    const paused = new Promise<Frame[]>((resolve, reject) => {
      inspector.on('Debugger.paused', (params) => resolve((params as { callFrames: Frame[] }).callFrames));
      const idle = new Error('it runs no JavaScript: it waits, or is in native code');
      patience.addEventListener('abort', () => reject(idle), { once: true });
    });
    paused.catch(() => undefined);
    await inspector.call('Debugger.enable', {}, patience);
    await inspector.call('Debugger.pause', {}, patience);
    const line = ({ functionName, location: { scriptId, lineNumber } }: Frame) =>
      `  ${functionName || '(anonymous)'} ${files.get(scriptId)}:${lineNumber + 1}`;
    return { stack: (await paused).map(line).join('\n'), waitsFor };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') waitsFor = 'nothing: it is gone';
    return { stack: `  unknown (${error instanceof Error ? error.message : error})`, waitsFor };
  }
}
