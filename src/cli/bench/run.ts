import { type FileHandle, open } from 'node:fs/promises';
import { measure, type Target } from '../../bench/measure.ts';
import type { Workload } from '../../bench/workload.ts';
import { failure } from '../../shared/errors.ts';
import { endedBadly, interruptible } from '../interrupt.ts';
import { checkKey } from '../keys.ts';
import { parseServerUrl } from '../server-client.ts';
import { BenchLine } from './bench-line.ts';
import type { BenchFlags } from './options.ts';
import { printed } from './print.ts';

/** Runs a workload on every server, and prints and writes what came of it. */
export async function runBench<Options>(
  workload: Workload<Options>,
  flags: BenchFlags & Options,
): Promise<void> {
  const { url, server, label, repeat, seed, timeout, startTimeout, apiKey, json, ...options } = flags;
  checkKey('--api-key (TIERKV_API_KEY)', apiKey);
  const targets = targetsOf(flags);
  if (workload.needsRestart && url.length > 0) {
    const reason = `bench ${workload.name} restarts the server: give --server with the command that starts it, not --url.`;
    throw failure('bad_option', { reason });
  }
  await using file = typeof json === 'string' ? await openNew(json) : undefined;
  const line = new BenchLine();
  const report = await interruptible((signal) =>
    measure(workload, flags, {
      targets,
      repeat,
      seed,
      options,
      apiKey,
      requestSeconds: timeout,
      startSeconds: startTimeout,
      signal,
      onProgress: (progress) => line.update(progress),
    }).finally(() => line.end()),
  );
  if (json === true) process.stdout.write(`${JSON.stringify(report)}\n`);
  else process.stdout.write(`${printed(report)}\n`);
  await file?.writeFile(`${JSON.stringify(report, null, 2)}\n`);
  if (report.runs.some(({ problem, phases }) => problem !== null || phases.some(({ failed }) => failed > 0)))
    endedBadly();
}

/** Before anything is measured: a file that cannot be written would lose it. */
function openNew(name: string): Promise<FileHandle> {
  return open(name, 'w').catch((cause: NodeJS.ErrnoException) => {
    throw failure('bad_option', { reason: `--json: ${name} cannot be written (${cause.code}).` });
  });
}

function targetsOf({ url, server, label }: BenchFlags): Target[] {
  const refuse = (reason: string) => failure('bad_option', { reason });
  if (url.length + server.length === 0)
    throw refuse(
      'bench needs a server: --url for one that runs, or --server with the command that starts it.',
    );
  // Their order on the command line is not known across two flags, and labels go by it.
  if (url.length > 0 && server.length > 0) throw refuse('bench takes --url or --server, not both.');
  if (label.length > 0 && label.length !== url.length + server.length)
    throw refuse('--label must be given once for each server, or never.');
  const commands = server.map((command) => {
    if (!command.includes('{port}')) throw refuse(`--server '${command}' has no {port}.`);
    return { command, url: null };
  });
  const all = [...url.map((one) => ({ command: null, url: parseServerUrl(one) })), ...commands];
  const names = all.map((target, i) => label[i] ?? nameOf(target));
  return all.map((target, i) => ({ ...target, label: unique(names, i) }));
}

/** The program of a command, or the address of a server. */
function nameOf({ command, url }: { command: string | null; url: string | null }): string {
  if (url !== null) return new URL(url).host;
  const program = command
    ?.trim()
    .split(/\s+/)
    .find((word) => word !== 'env' && !/^\w+=/.test(word));
  return program?.split('/').at(-1) ?? '';
}

function unique(names: readonly string[], i: number): string {
  const name = names[i] ?? '';
  const same = names.slice(0, i).filter((other) => other === name).length;
  return same === 0 ? name : `${name} ${same + 1}`;
}
