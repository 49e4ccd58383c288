#!/usr/bin/env node
// Starts on the user's own Node, which may be too old for everything behind this file.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(`TierKV needs Node.js 22.18 or newer; this is ${process.versions.node}.\n`);
  process.exit(1);
}
// In a checkout, what is built may be missing or older than the sources.
const helper = new URL('../scripts/ready.mjs', import.meta.url);
if (existsSync(fileURLToPath(helper))) (await import(helper.href)).ensureReady();
await import('../dist/cli/main.js');
