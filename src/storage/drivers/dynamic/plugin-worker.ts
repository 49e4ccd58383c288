/**
 * The thread of a plugin: loads it, and passes calls to it. Nobody but plugin-thread.ts starts it. Whatever the plugin
 * does here, what leaves the thread is what messages.ts says.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { StorageDriver } from '../../driver.ts';
import type { FromPlugin, PluginSetup, ToPlugin } from './messages.ts';
import { PluginCalls, thrownText } from './plugin-calls.ts';
import { asDriver, capabilitiesOf } from './plugin-shape.ts';

if (parentPort === null) {
  console.error('This is a part of TierKV that only its storage starts.');
  process.exit(1);
}
await serve(parentPort, workerData as PluginSetup);

async function serve(port: MessagePort, setup: PluginSetup): Promise<void> {
  const send = (message: FromPlugin, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
  // Also where the plugin never comes to an end with loading or opening.
  port.ref();
  try {
    const driver = await load(setup);
    await attempt('open() threw', () => driver.open(new AbortController().signal));
    const capabilities = capabilitiesOf(driver.capabilities);
    const calls = new PluginCalls(driver, send);
    port.on('message', (message: ToPlugin) => {
      if (!('abort' in message)) return void calls.run(message);
      calls.abort(message.abort);
      send({ heard: message.abort });
    });
    send({ opened: capabilities });
  } catch (error) {
    send({ refused: thrownText(error) });
  }
}

/** Not open yet. Rejects with an error that names the option to change. */
async function load({ url, className, exportName, options }: PluginSetup): Promise<StorageDriver> {
  const module: object = await attempt("'module_path' could not be loaded", () => import(url));
  const [option, name] = className === undefined ? ['export', exportName ?? ''] : ['class_name', className];
  const made: unknown = Reflect.get(module, name);
  if (typeof made !== 'function') {
    const exports = Object.keys(module).join(', ') || 'nothing';
    throw new Error(
      `'${option}' is not a ${option === 'export' ? 'function' : 'class'} that it exports, which are: ${exports}`,
    );
  }
  const plugin: unknown = await attempt(`'${option}' could not be made`, () =>
    className === undefined ? made(options) : Reflect.construct(made, [options]),
  );
  return asDriver(plugin);
}

async function attempt<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Error(`${what}: ${thrownText(error)}`);
  }
}
