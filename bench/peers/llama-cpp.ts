import { spawn } from 'node:child_process';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { PACKAGE_VERSION } from '../../src/engine/llama/library.ts';
import { cacheFolder } from '../../src/shared/cache-folder.ts';
import { missingTools } from './missing-tools.ts';

/** llama.cpp as built from source on this machine, for this machine's processor. */
export interface LlamaCppBuild {
  /** The program `llama-server`, with OpenMP where the compiler has it, as llama.cpp is built by default. */
  server: string;
  /** The folder of libraries of the same source without OpenMP, to be named in `TIERKV_LLAMA_LIB_DIR`. */
  libraries: string;
}

export interface Progress {
  say(line: string): void;
  /** The compiled share, 0 to 1; of one target after the other. */
  onProgress(fraction: number): void;
}

/** For this machine's processor. Nothing is downloaded: no web page for the server, no TLS. */
const OPTIONS = [
  'CMAKE_BUILD_TYPE=Release',
  'BUILD_SHARED_LIBS=ON',
  'GGML_NATIVE=ON',
  'LLAMA_BUILD_TESTS=OFF',
  'LLAMA_BUILD_EXAMPLES=OFF',
  'LLAMA_BUILD_APP=OFF',
  'LLAMA_BUILD_UI=OFF',
  'LLAMA_USE_PREBUILT_UI=OFF',
  'LLAMA_OPENSSL=OFF',
];

/** What make and ninja print before what they do: `[ 42%]`, `[42/300]`. */
const PROGRESS = /^\[\s*(?:(\d+)%|(\d+)\/(\d+))\]/;

/**
 * Builds `llama-server` and its libraries when they are missing or half built, in the user's cache folder: from the
 * source that the npm package `node-llama-cpp` carries, in the version whose libraries the project loads.
 *
 * @throws when a tool is missing or a step fails, with the end of what it printed
 */
export async function ensureLlamaCpp(options: Progress): Promise<LlamaCppBuild> {
  const missing = await missingTools(process.env);
  if (missing.length > 0) {
    throw new Error(
      `bench:peers compiles llama.cpp and needs ${missing.join(', ')}; on Debian: apt install git cmake g++`,
    );
  }
  const folder = path.join(cacheFolder(), `llama.cpp-${PACKAGE_VERSION}`);
  const source = path.join(folder, 'source');
  if (!(await exists(source))) await fetchSource(folder, source, options.say);
  const withOpenMp = path.join(folder, 'build');
  await compile(source, withOpenMp, 'llama-server', [], options);
  // With OpenMP, every thread that calls the library gets workers of its own: Node calls it from several.
  const without = path.join(folder, 'build-without-openmp');
  await compile(source, without, 'llama', ['GGML_OPENMP=OFF'], options);
  return { server: path.join(withOpenMp, 'bin', 'llama-server'), libraries: path.join(without, 'bin') };
}

/** Does nothing where nothing is left to do; a build that was interrupted goes on. */
async function compile(
  source: string,
  build: string,
  target: string,
  extra: readonly string[],
  { say, onProgress }: Progress,
): Promise<void> {
  if (!(await exists(path.join(build, 'bin')))) say(`compiling ${target} in ${build} …`);
  await run('cmake', ['-S', source, '-B', build, ...[...OPTIONS, ...extra].map((option) => `-D${option}`)]);
  // Without a number, make starts every compiler at once.
  const jobs = String(availableParallelism());
  await run('cmake', ['--build', build, '--target', target, '--parallel', jobs], (line) => {
    const [, percent, done, all] = PROGRESS.exec(line) ?? [];
    if (percent) onProgress(Number(percent) / 100);
    else if (done && all) onProgress(Number(done) / Number(all));
  });
}

async function fetchSource(folder: string, source: string, say: (line: string) => void): Promise<void> {
  say(`fetching the source in node-llama-cpp ${PACKAGE_VERSION} …`);
  await mkdir(folder, { recursive: true });
  await run('npm', ['pack', '--silent', '--pack-destination', folder, `node-llama-cpp@${PACKAGE_VERSION}`]);
  const archive = path.join(folder, `node-llama-cpp-${PACKAGE_VERSION}.tgz`);
  const bundle = 'package/llama/gitRelease.bundle';
  await run('tar', ['-xzf', archive, '-C', folder, bundle]);
  const unfinished = `${source}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await run('git', ['clone', '--quiet', path.join(folder, bundle), unfinished]);
  await rename(unfinished, source);
  await rm(archive);
  await rm(path.join(folder, 'package'), { recursive: true });
}

const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );

/** Runs a program to its end; what it prints is kept for the case that it fails. */
async function run(
  program: string,
  words: readonly string[],
  onLine: (line: string) => void = () => {},
): Promise<void> {
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let end = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n')) onLine(line);
      end = (end + text).slice(-2000);
    });
  }
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${program} ${words[0]} ended with ${signal ?? code}:\n${end}`));
    });
  });
}
