// Makes a checkout ready and then runs a command with the project's own Node:
//   node scripts/ready.mjs <script> [arguments…]
// Installs when the lock file changed and builds when a source changed; otherwise it only looks.
// Plain JavaScript, and nothing but Node's own modules: any Node from 18 on runs it, before anything is installed.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const modules = path.join(root, 'node_modules');
const installStamp = path.join(modules, '.tierkv-installed');
const buildStamp = path.join(modules, '.tierkv-built');
const built = path.join(root, 'dist', 'cli', 'main.js');

/** Installs and builds what is missing or stale. */
export function ensureReady() {
  const lock = hash([readFileSync(path.join(root, 'package-lock.json'))]);
  if (readIfThere(installStamp) !== lock) {
    say('installing dependencies …');
    // Not `npm ci`: it refuses a lock file that lacks the optional builds of other platforms.
    run(process.platform === 'win32' ? 'npm.cmd' : 'npm', [
      'install',
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ]);
    writeFileSync(installStamp, lock);
  }
  const sources = hash([
    lock,
    ...sourceState(path.join(root, 'src')),
    readFileSync(path.join(root, 'tsconfig.json')),
  ]);
  if (readIfThere(buildStamp) !== sources || !existsSync(built)) {
    say('building …');
    rmSync(path.join(root, 'dist'), { recursive: true, force: true });
    run(nodeBinary(), [path.join(modules, 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json']);
    writeFileSync(buildStamp, sources);
  }
}

/** The Node that the project is developed with; the caller's own may be too old. */
function nodeBinary() {
  const own = path.join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  return existsSync(own) ? own : process.execPath;
}

function sourceState(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort()
    .map((file) => {
      const { mtimeMs, size } = statSync(file);
      return `${file} ${mtimeMs} ${size}`;
    });
}

function run(command, args) {
  // What setting up prints goes to stderr: stdout belongs to the command that follows.
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], shell: false });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

function hash(parts) {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(part).update('\n');
  return sum.digest('hex');
}

function readIfThere(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function say(text) {
  process.stderr.write(`tierkv: ${text}\n`);
}

/** Runs a script with the project's Node as if it stood in this process's place. */
function become(args) {
  const bin = path.join(modules, '.bin');
  const environment = { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH ?? ''}` };
  const child = spawn(nodeBinary(), args, { stdio: 'inherit', env: environment });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  // npm passes signals on to a shell that dies of them alone: an orphan ends its command as the signal would have.
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), 1000).unref();
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  ensureReady();
  const command = process.argv.slice(2);
  if (command.length > 0) become(command);
}
