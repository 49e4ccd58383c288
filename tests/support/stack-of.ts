import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where Node listens that was asked to with a signal. */
const INSPECTOR = 'http://127.0.0.1:9229/json/list';
const PATIENCE_MS = 10_000;

interface Frame {
  functionName: string;
  location: { scriptId: string; lineNumber: number };
}

type Message =
  | { method: 'Debugger.paused'; params: { callFrames: Frame[] } }
  | { method: 'Debugger.scriptParsed'; params: { scriptId: string; url: string } };

/** Where another Node process of this machine is, also where it is in a loop that never ends. The process stays stopped. */
export async function stackOf(pid: number): Promise<string> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  try {
    process.kill(pid, 'SIGUSR1');
    const socket = new WebSocket(await inspectorUrl(patience));
    await once(socket, 'open', { signal: patience });
    const files = new Map<string, string>();
    const paused = new Promise<Frame[]>((resolve) => {
      socket.addEventListener('message', ({ data }) => {
        const { method, params } = JSON.parse(String(data)) as Message;
        if (method === 'Debugger.scriptParsed') files.set(params.scriptId, params.url);
        if (method === 'Debugger.paused') resolve(params.callFrames);
      });
    });
    for (const [id, method] of ['Debugger.enable', 'Debugger.pause'].entries())
      socket.send(JSON.stringify({ id, method }));
    const frames = await Promise.race([paused, once(patience, 'abort').then(late)]);
    const line = ({ functionName, location: { scriptId, lineNumber } }: Frame) =>
      `  ${functionName || '(anonymous)'} ${files.get(scriptId)}:${lineNumber + 1}`;
    return frames.map(line).join('\n');
  } catch (error) {
    return `  unknown (${error instanceof Error ? error.message : error})`;
  }
}

const late = () => {
  throw new Error('it runs no JavaScript: it waits, or is in native code');
};

async function inspectorUrl(signal: AbortSignal): Promise<string> {
  for (;;) {
    signal.throwIfAborted();
    const answer = await fetch(INSPECTOR, { signal }).catch(() => undefined);
    const [target] = ((await answer?.json()) ?? []) as { webSocketDebuggerUrl: string }[];
    if (target) return target.webSocketDebuggerUrl;
    await sleep(100);
  }
}
