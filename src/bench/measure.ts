import os from 'node:os';
import { VERSION } from '../shared/version.ts';
import { figures, type Recorded } from './records.ts';
import type { BenchReport, Run, ServerSummary } from './report.ts';
import { type RunSettings, runOnce } from './run-once.ts';
import type { Workload } from './workload.ts';

/** A server: one that runs, or a command that starts one. One of the two is null. */
export interface Target {
  label: string;
  command: string | null;
  url: string | null;
}

export interface Progress {
  label: string;
  round: number;
  repeat: number;
  done: number;
  expected: number;
  failed: number;
}

export interface MeasureSettings extends Omit<RunSettings, 'round' | 'onProgress'> {
  targets: readonly Target[];
  repeat: number;
  seed: number;
  /** As they are noted in the report. */
  options: Record<string, unknown>;
  onProgress(progress: Progress): void;
}

/**
 * Runs a workload on every server in turn, as many rounds as were asked for. When the signal aborts, what was measured
 * until then is reported.
 *
 * @throws what a workload finds wrong with its options; whatever a server does is in the report
 */
export async function measure<Options>(
  workload: Workload<Options>,
  options: Options,
  settings: MeasureSettings,
): Promise<BenchReport> {
  const { targets, repeat, seed, signal } = settings;
  const measured: { target: Target; run: Run; parts: Recorded[] }[] = [];
  for (let round = 1; round <= repeat; round++) {
    for (const target of targets) {
      if (signal.aborted) break;
      const { parts, ...run } = await runOnce(workload, options, target, {
        ...settings,
        round,
        onProgress: (progress) => settings.onProgress({ ...progress, label: target.label, round, repeat }),
      });
      const phases = parts.map((part) => figures(part.name, [part]));
      measured.push({ target, parts, run: { label: target.label, round, ...run, phases } });
    }
  }
  return {
    tierkv: VERSION,
    date: new Date().toISOString(),
    machine: {
      platform: `${process.platform}-${process.arch}`,
      cpu: os.cpus()[0]?.model ?? null,
      cores: os.availableParallelism(),
      node: process.versions.node,
    },
    workload: workload.name,
    options: settings.options,
    seed,
    repeat,
    servers: targets.map((target) =>
      summary(
        target,
        measured.filter((one) => one.target === target),
      ),
    ),
    runs: measured.map(({ run }) => run),
  };
}

function summary(target: Target, rounds: readonly { run: Run; parts: readonly Recorded[] }[]): ServerSummary {
  const names = new Set(rounds.flatMap(({ parts }) => parts.map(({ name }) => name)));
  const exact = rounds.map(({ run }) => run.exactTokens).filter((value) => value !== null);
  const peaks = rounds.map(({ run }) => run.peakMemoryBytes).filter((value) => value !== null);
  return {
    ...target,
    exactTokens: exact.length === 0 ? null : exact.every(Boolean),
    peakMemoryBytes: peaks.length === 0 ? null : Math.max(...peaks),
    phases: [...names].map((name) =>
      figures(
        name,
        rounds.flatMap(({ parts }) => parts.filter((part) => part.name === name)),
      ),
    ),
  };
}
