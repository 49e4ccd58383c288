/** `npm run bench:outages`: what requests notice of a storage that fails. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { percentile, rounded } from '../../src/bench/statistics.ts';
import { wholeNumber } from '../../src/cli/option-types.ts';
import { ensureModel } from '../../src/models/store.ts';
import { FaultProxy } from '../../src/storage-suite/fault-proxy/fault-proxy.ts';
import { findProgram } from '../../tests/support/services/find-program.ts';
import { type FinishedRequest, Load } from '../support/load.ts';
import { describeMachine, thisMachine } from '../support/machine.ts';
import { table, writeSection } from '../support/page.ts';
import { startRedis } from '../support/redis.ts';
import { withServers } from '../support/server.ts';
import { OUTAGES } from './outages.ts';

const { rounds, quick } = new Command('bench:outages')
  .option('--rounds <n>', 'windows of time of each kind, in turn', wholeNumber(1), 3)
  .option('--quick', 'short windows on the tiny model, to see that it runs; nothing is kept')
  .parse()
  .opts<{ rounds: number; quick?: true }>();

const ADMIN_KEY = 'bench';
const NONE = 'no storage';
const shape = { streams: quick ? 4 : 16, promptTokens: quick ? 64 : 256, answerTokens: 16, prompts: 48 };
const windowMs = quick ? 1500 : 20_000;
const say = (line: string) => process.stderr.write(`${line}\n`);

interface Window {
  name: string;
  requests: FinishedRequest[];
}

async function change(url: string, method: 'PUT' | 'DELETE', body?: object): Promise<void> {
  const response = await fetch(`${url}/hicache/storage-backend?mode=live`, {
    method,
    headers: {
      authorization: `Bearer ${ADMIN_KEY}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (!response.ok) throw new Error(`${method}: status ${response.status}: ${await response.text()}`);
}

async function measure(url: string, proxy: FaultProxy): Promise<Window[]> {
  const load = new Load(url, shape);
  const spans: { name: string; from: number; to: number }[] = [];
  const watch = async (name: string) => {
    const from = performance.now();
    await sleep(windowMs);
    spans.push({ name, from, to: performance.now() });
    say(`${name}: done`);
  };
  await sleep(windowMs);
  for (let round = 0; round < (quick ? 1 : rounds); round++) {
    await watch(NONE);
    await change(url, 'PUT', {
      hicache_storage_backend: 'redis',
      hicache_storage_backend_extra_config_json: proxy.address,
      mode: 'live',
    });
    await sleep(windowMs);
    for (const { name, begin, end } of OUTAGES) {
      await begin(proxy);
      await watch(`a storage that ${name}`);
      await end(proxy);
    }
    await change(url, 'DELETE');
  }
  await load.stop();
  say(`${load.answers} answers, none failed`);
  return spans.map(({ name, from, to }) => ({ name, requests: load.requests(from, to) }));
}

function asTable(windows: readonly Window[]): string {
  const names = [...new Set(windows.map(({ name }) => name))];
  const figures = (name: string) => {
    const own = windows.flatMap((window) => (window.name === name ? window.requests : []));
    const times = own.map(({ firstToken }) => firstToken);
    const tokens = own.reduce((sum, { fromStorage }) => sum + fromStorage, 0);
    return { requests: own.length, tokens, p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
  };
  const none = figures(NONE);
  return table(
    ['', 'requests', 'tokens from it', 'first token p50, ms', 'of none', 'p99, ms', 'of none'],
    names.map((name) => {
      const { requests, tokens, p50, p99 } = figures(name);
      const ratio = (value: number, of: number) => rounded(value / of, 2);
      return [
        name,
        requests,
        tokens,
        rounded(p50, 0),
        ratio(p50, none.p50),
        rounded(p99, 0),
        ratio(p99, none.p99),
      ];
    }),
  );
}

if (!findProgram('redis-server')) {
  say('bench:outages needs redis-server: apt-get install redis-server');
} else {
  const redis = await startRedis();
  const proxy = await FaultProxy.start({ upstream: { host: '127.0.0.1', port: redis.port } });
  const flags = {
    '--model-path': await ensureModel(quick ? 'tiny' : 'bench'),
    '--admin-api-key': ADMIN_KEY,
    // Tiers that are too small for all prompts: some come from the storage, or are computed, all the time.
    '--max-total-tokens': 6144,
    '--hicache-size': 0.1,
    '--context-length': 1024,
  };
  try {
    await withServers([flags], async (servers) => {
      const windows = await measure(servers[0]!.url, proxy);
      const markdown = asTable(windows);
      process.stdout.write(`\n${markdown}\n\n`);
      if (quick) return;
      const machine = thisMachine();
      const results = path.join(import.meta.dirname, '../results');
      await mkdir(results, { recursive: true });
      const data = { ...machine, rounds, shape, windowMs, windows };
      await writeFile(path.join(results, 'outages.json'), `${JSON.stringify(data, null, 2)}\n`);
      const about = `197 M parameters in q8_0, ${rounds} windows of ${windowMs / 1000} s of each kind`;
      await writeSection('bench:outages', `${describeMachine(machine)}; ${about}.\n\n${markdown}`);
    });
  } finally {
    await proxy.stop();
    await redis.stop();
  }
}
