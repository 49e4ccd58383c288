import { spawn } from 'node:child_process';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { PACKAGE_VERSION } from '../../src/engine/llama/library.ts';
import { cacheFolder } from '../../src/shared/cache-folder.ts';
import { missingTools } from './missing-tools.ts';

/** llama.cpp as built from source on this machine, for this machine's processor. */
export interface LlamaCppBuild {
  /** The program `llama-server`. */
  server: string;
  /** The folder of the libraries it uses, to be named in `TIERKV_LLAMA_LIB_DIR`. */
  libraries: string;
}

/**
 * OpenMP stays off, as in the npm package: with it every thread that calls the library gets workers of its own.
 * Nothing is downloaded: no web page for the server, no TLS.
 */
const OPTIONS = [
  'CMAKE_BUILD_TYPE=Release',
  'BUILD_SHARED_LIBS=ON',
  'GGML_NATIVE=ON',
  'GGML_OPENMP=OFF',
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
 * @param options.onProgress the compiled share, 0 to 1
 * @throws when a tool is missing or a step fails, with the end of what it printed
 */
export async function ensureLlamaCpp(options: {
  say: (line: string) => void;
  onProgress: (fraction: number) => void;
}): Promise<LlamaCppBuild> {
  const missing = await missingTools(process.env);
  if (missing.length > 0) {
    throw new Error(
      `bench:peers compiles llama.cpp and needs ${missing.join(', ')}; on Debian: apt install git cmake g++`,
    );
  }
  const folder = path.join(cacheFolder(), `llama.cpp-${PACKAGE_VERSION}`);
  const source = path.join(folder, 'source');
  const build = path.join(folder, 'build');
  if (!(await exists(source))) await fetchSource(folder, source, options.say);
  // Both do nothing where nothing is left to do; a build that was interrupted goes on.
  await run('cmake', ['-S', source, '-B', build, ...OPTIONS.map((option) => `-D${option}`)]);
  const bin = path.join(build, 'bin');
  if (!(await exists(path.join(bin, 'llama-server')))) options.say(`compiling llama.cpp in ${folder} …`);
  // Without a number, make starts every compiler at once.
  const jobs = String(availableParallelism());
  await run('cmake', ['--build', build, '--target', 'llama-server', '--parallel', jobs], (line) => {
    const [, percent, done, all] = PROGRESS.exec(line) ?? [];
    if (percent) options.onProgress(Number(percent) / 100);
    else if (done && all) options.onProgress(Number(done) / Number(all));
  });
  return { server: path.join(bin, 'llama-server'), libraries: bin };
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
