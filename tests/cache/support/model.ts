import fc from 'fast-check';
import { expect } from 'vitest';
import { namespaceSeed } from '../../../src/shared/page-keys.ts';
import { tokensOf } from '../../support/simulation.ts';
import { OPERATION, type Operation, SETTING, type Setting } from './operations.ts';
import { TieredSimulation } from './tiered-simulation.ts';
import { TroubledStore, type TroublePlan } from './troubled-store.ts';

/** Tokens for one letter: no page size divides all borders. */
const PIECE = 4;
const LONGEST = 44;
/** Prompts that are asked for again in the end. */
const AGAIN = 12;
const SEEDS = ['', ...['one', 'two'].map((cacheSalt) => namespaceSeed({ extraKey: undefined, cacheSalt }))];
const INJECTED = ['engine_failed', 'internal'];

function tokensFor(text: string): number[] {
  return [...text].flatMap((sign) => (sign < 'a' ? [Number(sign)] : tokensOf(sign.charCodeAt(0), PIECE)));
}

/**
 * Runs random operations in random settings. `TIERKV_SEED` and `TIERKV_PATH` repeat what a failure printed as `seed`
 * and `path`.
 */
export async function checkModel(runs: number): Promise<void> {
  const { TIERKV_SEED: seed, TIERKV_PATH: path } = process.env;
  const operations = fc.array(OPERATION, { minLength: 1, maxLength: 80, size: 'max' });
  const property = fc.asyncProperty(SETTING, operations, async (setting, sequence) => {
    const model = new Model(setting);
    for (const operation of sequence) await model.apply(operation);
    await model.settle();
  });
  await fc.assert(property, {
    numRuns: runs,
    // Longer than that only while a failure is made smaller.
    interruptAfterTimeLimit: 350 * runs,
    ...(seed !== undefined && { seed: Number(seed) }),
    ...(path !== undefined && { path }),
  });
}

/** Applies operations to a simulation, and checks what its requests were answered. */
export class Model {
  /** Operations of all models. */
  static operations = 0;
  readonly simulation: TieredSimulation;
  readonly #stores: TroubledStore[];
  readonly #plan: TroublePlan;
  #injected = false;

  constructor(setting: Setting) {
    const {
      evictionPolicy,
      writePolicy,
      unusedDeviceTokens,
      prefetchPolicy,
      threshold,
      patience,
      ...limits
    } = setting;
    this.simulation = new TieredSimulation({
      ...limits,
      cache: { evictionPolicy, writePolicy, unusedDeviceTokens },
      prefetch: {
        policy: prefetchPolicy,
        threshold,
        timeoutBase: patience,
        timeoutPerKiToken: 0,
        timeoutMax: 30,
      },
    });
    this.#plan = (_, call) => setting.troubles[call % setting.troubles.length];
    this.#stores = [this.simulation.store, new TroubledStore(this.simulation.clock)];
    this.#trouble();
    if (setting.attached) this.#attach(0);
  }

  async apply(operation: Operation): Promise<void> {
    Model.operations++;
    const { simulation } = this;
    const { engine, asked, clock, scheduler } = simulation;
    switch (operation.do) {
      case 'submit': {
        const { prompt, namespace, do: _, ...rest } = operation;
        this.#submit({ ...rest, prompt: tokensFor(prompt), prefixSeed: SEEDS[namespace]! });
        return;
      }
      case 'go on': {
        const before = asked[operation.which % asked.length];
        if (!before || typeof before.prompt === 'number') return;
        const { tokens } = simulation.output.of(before.id);
        const prompt = [...before.prompt, ...tokens, ...tokensFor(operation.prompt)];
        this.#submit({ ...before, prompt: prompt.slice(0, LONGEST - 6), maxTokens: operation.maxTokens });
        return;
      }
      case 'abort': {
        const which = asked[operation.which % asked.length];
        if (!which) return;
        const told = simulation.output.of(which.id);
        if (told.ended.length + told.failures.length === 0) simulation.abort(which.id);
        return;
      }
      case 'pass':
        return clock.advance(operation.ms);
      case 'attach':
        return this.#attach(operation.store);
      case 'detach':
        return simulation.detach();
      case 'flush':
        scheduler.flush();
        return;
      case 'release':
        for (const store of this.#stores) store.release();
        return;
      case 'fail decode':
        this.#injected = true;
        return engine.failNextDecode('injected');
      case 'no room':
        this.#injected = true;
        engine.noRoom = 1;
        return;
      case 'settle':
        await this.settle();
        this.#trouble();
        return;
    }
  }

  async settle(): Promise<void> {
    const { simulation } = this;
    // Everything ends although the storage hangs.
    await simulation.drain();
    expect(simulation.error).toBeUndefined();
    expect(simulation.output.violations).toEqual([]);
    for (const { id } of simulation.asked) {
      const told = simulation.output.of(id);
      expect(told.ended.length + told.failures.length, `ends of ${id}`).toBe(told.aborted ? 0 : 1);
      for (const { code } of told.failures)
        expect(this.#injected ? [...INJECTED, 'grammar_failed'] : ['grammar_failed']).toContain(code);
    }
    for (const store of this.#stores) {
      store.plan = () => undefined;
      store.release();
    }
    await simulation.drain();
    // What all tiers hold now is used once more.
    for (const asked of simulation.asked.slice(-AGAIN))
      this.#submit({ ...asked, maxTokens: 1, grammar: undefined });
    await simulation.settle();
  }

  #submit(asked: Omit<TieredSimulation['asked'][number], 'id'>): void {
    this.simulation.submit({ ...asked, id: this.simulation.asked.length });
  }

  #attach(store: number): void {
    this.simulation.attach(this.#stores[store]!.driver());
  }

  #trouble(): void {
    for (const store of this.#stores) store.plan = this.#plan;
  }
}
