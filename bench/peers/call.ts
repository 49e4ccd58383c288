import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Value } from 'typebox/value';
import { BenchReport } from '../../src/bench/report.ts';
import type { Call } from './part.ts';
import { commandLine, type Places, shownCommand } from './peer.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const MAIN = path.join(import.meta.dirname, '../../src/cli/main.ts');

/**
 * Runs `tierkv bench`; its progress and its table are shown as it shows them. In the report, commands are as a reader
 * would type them, without the folders of this machine.
 *
 * @throws when there is no report; what servers fail at is in it
 */
export async function runCall(call: Call, rounds: number, places: Places): Promise<BenchReport> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tierkv-peers-'));
  try {
    const file = path.join(folder, 'report.json');
    await bench([...wordsOf(call, places), '--repeat', String(rounds), '--json', file]);
    const report = Value.Decode(BenchReport, JSON.parse(await readFile(file, 'utf8')));
    const shown = new Map(call.peers.map((peer) => [peer.label, shownCommand(peer)]));
    const servers = report.servers.map((server) => ({ ...server, command: shown.get(server.label) ?? null }));
    return { ...report, servers };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The words behind `tierkv bench`, without the number of rounds. */
function wordsOf({ workload, options, peers }: Call, places: Places): string[] {
  const servers = peers.flatMap((peer) => ['--server', commandLine(peer, places), '--label', peer.label]);
  return [workload, ...options, ...servers];
}

/** A status other than 0 may be a server's failure, which the report tells; an interrupted one is not whole. */
async function bench(words: readonly string[]): Promise<void> {
  // In a group of its own: Ctrl-C comes from a terminal and from npm, and at a second one it kills its servers.
  const child = spawn(process.execPath, [MAIN, 'bench', ...words], {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  let interrupted = false;
  const interrupt = (signal: NodeJS.Signals) => {
    if (!interrupted) child.kill(signal);
    interrupted = true;
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => resolve());
    });
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
  if (interrupted) throw new Error('interrupted; nothing of this part is kept');
}
