import { availableParallelism } from 'node:os';
import path from 'node:path';
import type { LlamaCppBuild } from './llama-cpp.ts';

/** A server that takes part: its name in the tables, and its command line with words for what lies elsewhere. */
export interface Peer {
  label: string;
  command: string;
}

/** What the words in braces stand for; `{port}` and `{dir}` are left to `tierkv bench`. */
export interface Places {
  build: LlamaCppBuild;
  modelPath: string;
}

export const THREADS = availableParallelism();
const MAIN = path.join(import.meta.dirname, '../../src/cli/main.ts');

/** With the library as llama.cpp builds it, with OpenMP: it is faster for its own server. */
export function llamaServer(label: string, flags: string): Peer {
  return { label: `llama-server, ${label}`, command: llamaCommand(flags) };
}

/** With the very library that {@link tierkv} loads. */
export function llamaServerSameLibrary(label: string, flags: string): Peer {
  return {
    label: `llama-server, ${label}`,
    command: `env LD_LIBRARY_PATH={libraries} ${llamaCommand(flags)}`,
  };
}

function llamaCommand(flags: string): string {
  return `{llama-server} -m {model} --port {port} --threads ${THREADS} ${flags}`.trim();
}

/** With the library that was built here, for this processor, without OpenMP. */
export function tierkv(label: string, flags: string): Peer {
  return { label, command: `env TIERKV_LLAMA_LIB_DIR={libraries} ${tierkvCommand(flags)}` };
}

/** With the library of the npm package. */
export function tierkvFromNpm(label: string, flags: string): Peer {
  return { label, command: tierkvCommand(flags) };
}

function tierkvCommand(flags: string): string {
  return `{tierkv} serve --model-path {model} --port {port} --gpu off --threads ${THREADS} --log-level warn ${flags}`;
}

/** L3 in files of the run's own folder. */
export const FILES = filesWith({});

/** The same with other settings of the storage than its own. */
export function filesWith(settings: Record<string, number>): string {
  const words = Object.entries({ path: '{dir}/pages', ...settings }).map(
    ([name, value]) => `"${name}": ${JSON.stringify(value)}`,
  );
  return `--hicache-storage-backend file --hicache-storage-backend-extra-config '{${words.join(', ')}}'`;
}

/** The command line for `tierkv bench --server`. */
export function commandLine({ command }: Peer, { build, modelPath }: Places): string {
  const words: Record<string, string> = {
    '{llama-server}': quoted(build.server),
    '{libraries}': quoted(build.libraries),
    '{model}': quoted(modelPath),
    '{tierkv}': `${quoted(process.execPath)} ${quoted(MAIN)}`,
  };
  return command.replace(/\{[a-z-]+\}/g, (word) => words[word] ?? word);
}

/** The command line as one would type it, for readers. */
export function shownCommand({ command }: Peer): string {
  return command
    .replace('{llama-server}', 'llama-server')
    .replace('{tierkv}', 'tierkv')
    .replace('{model}', 'MODEL')
    .replace('{libraries}', 'LIBRARIES')
    .replace('{port}', 'PORT')
    .replace('{dir}', 'FOLDER');
}

function quoted(word: string): string {
  return /\s/.test(word) ? `"${word}"` : word;
}
