import os from 'node:os';
import { LIBRARY_VERSION } from '../../src/engine/llama/library.ts';

/** What figures are of no use without. */
export interface Machine {
  date: string;
  cpu: string | undefined;
  cores: number;
  node: string;
  llamaCpp: string;
}

export function thisMachine(): Machine {
  return {
    date: new Date().toISOString(),
    cpu: os.cpus()[0]?.model,
    cores: os.availableParallelism(),
    node: process.versions.node,
    llamaCpp: LIBRARY_VERSION,
  };
}

export function describeMachine({ date, cpu, cores, node, llamaCpp }: Machine): string {
  return `${date.slice(0, 10)}, ${cpu}, ${cores} cores, Node.js ${node}, llama.cpp ${llamaCpp}`;
}
