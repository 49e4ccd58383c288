import { afterAll, describe, expect, it } from 'vitest';
import { reuseScenarios, type Scenario } from '../../src/bench/situations/scenarios.ts';
import { DEFAULT_PREFETCH } from '../../src/cache/prefetch-policy.ts';
import { StorageLink } from '../../src/controller/storage-link.ts';
import { random } from '../../src/models/random.ts';
import { createDriver } from '../../src/storage/factory.ts';
import { type Answerer, playScenario, type Reuse, reuseTable, share } from '../support/reuse-scenarios.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { GREEDY, Simulation, type SimulationOptions, VOCABULARY } from '../support/simulation.ts';

const PAGE = 16;
/** Of what can be reused. */
const LEAST = 0.97;

/** Tokens below `limit` that look like text, other ones for every name. */
function textOf(limit: number): (name: string, tokens: number) => number[] {
  return (name, tokens) => {
    const { below } = random(name);
    return Array.from({ length: tokens }, () => 1 + below(limit - 1));
  };
}

function expectReuse(rows: readonly Reuse[]): void {
  const least = Math.min(...rows.map(share));
  expect(least, `\n${reuseTable(rows)}\n`).toBeGreaterThanOrEqual(LEAST);
}

/** Asks a simulated server. */
function asking(simulation: Simulation, answer: number): Answerer {
  let id = 0;
  return async (prompt) => {
    const told = simulation.output.of(++id);
    const sampling = { ...GREEDY, maxTokens: answer };
    const tokens = Int32Array.from(prompt);
    simulation.scheduler.submit({ id, prompt: tokens, sampling, ignoreEndOfGeneration: true });
    await simulation.drain();
    const [{ device, host, storage }] = told.started as [{ device: number; host: number; storage: number }];
    return { answer: told.tokens, cached: device + host + storage };
  };
}

describe('with a simulated engine', () => {
  const sizes = { system: 600, turn: 90, answer: 30 };
  const scenarios = reuseScenarios(sizes, textOf(VOCABULARY));
  const limits = {
    pageSize: PAGE,
    sequences: 48,
    batchTokens: 256,
    chunkedPrefillSize: 64,
    mixedChunk: true,
    maxPrefillTokens: 128,
  };

  async function play(
    scenario: Scenario,
    options: SimulationOptions,
    granularity: number,
    lives: (simulation: Simulation) => void = () => undefined,
    known: number[][] = [],
  ): Promise<Reuse> {
    const simulation = new Simulation({ ...limits, ...options });
    lives(simulation);
    const reuse = await playScenario(scenario, asking(simulation, sizes.answer), granularity, known);
    simulation.expectIdle();
    return reuse;
  }

  it('L1 reuses every token', async () => {
    const rows = [];
    for (const scenario of scenarios) rows.push(await play(scenario, { cells: 16_384 }, 1));
    expectReuse(rows);
  });

  it('an L1 that is too small reuses every token, out of L2', async () => {
    const cache = { hostPages: 2000, unusedDeviceTokens: 0 };
    // Eight requests at once fit with their answers, and nothing else.
    const cells = sizes.system + 8 * (sizes.turn + sizes.answer + PAGE);
    const rows = [];
    for (const scenario of scenarios) rows.push(await play(scenario, { cells, cache }, 1));
    expectReuse(rows);
  });

  it.each([
    ['page', 16_384, PAGE],
    ['token that L1 does not keep', 0, 1],
  ])('after a restart every %s comes from L3', async (_, unusedDeviceTokens, granularity) => {
    const prefetch = { ...DEFAULT_PREFETCH, policy: 'wait_complete', threshold: PAGE } as const;
    const cache = { hostPages: 2000, prefetch, unusedDeviceTokens };
    const rows = [];
    for (const scenario of scenarios) {
      const driver = createDriver('memory', {});
      await driver.open(AbortSignal.timeout(1000));
      const attach = (simulation: Simulation) =>
        simulation.tiers.storage!.use(new StorageLink(driver, 1), true);
      const known: number[][] = [];
      await play(scenario, { cells: 16_384, cache }, granularity, attach, known);
      rows.push(await play(scenario, { cells: 16_384, cache }, granularity, attach, known));
    }
    expectReuse(rows);
  });
});

describe('with a real server', () => {
  const answer = 8;
  const scenarios = reuseScenarios({ system: 200, turn: 40 }, textOf(1000));
  const servers: TestServer[] = [];
  afterAll(() => Promise.all(servers.map((server) => server.kill())));

  async function playAll(granularity: number, ...flags: string[]): Promise<Reuse[]> {
    const limits = ['--page-size', String(PAGE), '--max-running-requests', '16', '--context-length', '1024'];
    const server = await startServer([...limits, ...flags]);
    servers.push(server);
    const ask: Answerer = async (input_ids) => {
      const sampling_params = { temperature: 0, max_new_tokens: answer, ignore_eos: true };
      const response = await server.post('/generate', { input_ids, sampling_params });
      const { output_ids, meta_info } = (await response.json()) as {
        output_ids: number[];
        meta_info: { cached_tokens: number };
      };
      return { answer: output_ids, cached: meta_info.cached_tokens };
    };
    const rows = [];
    for (const scenario of scenarios) {
      rows.push(await playScenario(scenario, ask, granularity));
      expect((await server.get('/flush_cache?timeout=10')).status).toBe(200);
    }
    await server.expectIdle();
    return rows;
  }

  it('L1 reuses every token', async () => {
    expectReuse(await playAll(1, '--max-total-tokens', '8192', '--hicache-keep-on-device', '8192'));
  });

  it('an L1 that keeps nothing reuses every token, out of L2', async () => {
    expectReuse(await playAll(1, '--max-total-tokens', '2048', '--hicache-keep-on-device', '0'));
  });
});
