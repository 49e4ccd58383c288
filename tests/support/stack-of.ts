import { Inspector } from './inspector.ts';

const PATIENCE_MS = 10_000;

interface Frame {
  functionName: string;
  location: { scriptId: string; lineNumber: number };
}

/** Where another Node process of this machine is, also where it is in a loop that never ends. The process stays stopped. */
export async function stackOf(pid: number): Promise<string> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  try {
    const inspector = await Inspector.connect(pid, patience);
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
    return (await paused).map(line).join('\n');
  } catch (error) {
    return `  unknown (${error instanceof Error ? error.message : error})`;
  }
}
