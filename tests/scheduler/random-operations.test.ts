import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Asked, expectedAnswer, Simulation } from '../support/simulation.ts';

type Operation =
  | { do: 'submit'; asked: Omit<Asked, 'id'> }
  | { do: 'abort'; which: number }
  | { do: 'pass'; ms: number }
  | { do: 'fail decode' }
  | { do: 'fail sampler' }
  | { do: 'no room' }
  | { do: 'settle' };

const submit = fc
  .record({
    prompt: fc.integer({ min: 0, max: 60 }),
    maxTokens: fc.integer({ min: 1, max: 150 }),
    minTokens: fc.constantFrom(0, 0, 5),
    temperature: fc.constantFrom(0, 1),
    seed: fc.nat(),
    ignoreEnd: fc.boolean(),
    stopTokens: fc.constantFrom<number[][]>([], [3, 4]),
    grammar: fc.constantFrom<(string | undefined)[]>(undefined, undefined, 'root ::= "a"', ''),
    topLogprobs: fc.constantFrom<(number | undefined)[]>(undefined, 2),
  })
  .map((asked): Operation => ({ do: 'submit', asked }));
const pass = fc.integer({ min: 1, max: 40 }).map((ms): Operation => ({ do: 'pass', ms }));

const operations = fc.array(
  fc.oneof(
    { arbitrary: submit, weight: 10 },
    { arbitrary: pass, weight: 8 },
    { arbitrary: fc.nat().map((which): Operation => ({ do: 'abort', which })), weight: 3 },
    {
      arbitrary: fc.constantFrom<Operation[]>(
        { do: 'fail decode' },
        { do: 'fail sampler' },
        { do: 'no room' },
      ),
      weight: 1,
    },
    { arbitrary: fc.constant<Operation>({ do: 'settle' }), weight: 1 },
  ),
  { minLength: 1, maxLength: 60, size: 'max' },
);

const limits = fc.record({
  cells: fc.integer({ min: 200, max: 350 }),
  batchTokens: fc.integer({ min: 1, max: 40 }),
  maxRunningRequests: fc.integer({ min: 1, max: 6 }),
  chunkedPrefillSize: fc.integer({ min: 1, max: 24 }),
  mixedChunk: fc.boolean(),
  maxPrefillTokens: fc.integer({ min: 1, max: 40 }),
  maxQueuedRequests: fc.integer({ min: 1, max: 10 }),
});

const REFUSALS = ['empty_prompt', 'context_length_exceeded', 'queue_full'];
const INJECTED = ['engine_failed', 'internal'];

function apply(simulation: Simulation, operation: Operation, asked: Asked[]): Promise<void> | undefined {
  const { engine } = simulation;
  switch (operation.do) {
    case 'submit':
      asked.push({ id: asked.length, ...operation.asked });
      simulation.submit(asked.at(-1)!);
      return undefined;
    case 'abort':
      if (asked.length > 0) simulation.scheduler.abort(abortable(simulation, operation.which % asked.length));
      return undefined;
    case 'pass':
      return simulation.clock.advance(operation.ms);
    case 'fail decode':
      engine.failNextDecode('injected');
      return undefined;
    case 'fail sampler':
      engine.samplerError = new Error('injected');
      return undefined;
    case 'no room':
      engine.noRoom = 1;
      return undefined;
    case 'settle':
      return settle(simulation, asked);
  }
}

/** Notes that it will hear nothing more, unless it has ended. */
function abortable(simulation: Simulation, id: number): number {
  const told = simulation.output.of(id);
  if (told.ended.length + told.failures.length === 0) told.aborted = true;
  return id;
}

async function settle(simulation: Simulation, asked: Asked[]): Promise<void> {
  await simulation.drain();
  simulation.expectIdle();
  for (const request of asked) checkAnswer(simulation, request);
}

function checkAnswer(simulation: Simulation, asked: Asked): void {
  const told = simulation.output.of(asked.id);
  const { tokens, ending } = asked.prompt !== 0 ? expectedAnswer(asked) : { tokens: [], ending: undefined };
  expect(told.ended.length + told.failures.length, 'exactly one end').toBe(told.aborted ? 0 : 1);
  expect(told.tokens).toEqual(tokens.slice(0, told.tokens.length));
  if (told.ended.length > 0) {
    expect(told.ended).toEqual([ending]);
    expect(told.tokens).toEqual(tokens);
    if (asked.topLogprobs !== undefined) expect(told.logprobs).not.toContain(null);
  }
  for (const { code } of told.failures) {
    if (REFUSALS.includes(code)) expect(told.started).toEqual([]);
    else if (code === 'grammar_failed') expect(asked.grammar).toBe('');
    else expect([...INJECTED, 'shutting_down']).toContain(code);
  }
}

it('keeps its promises under any sequence of requests, aborts, failures and time', async () => {
  await fc.assert(
    fc.asyncProperty(limits, operations, fc.boolean(), async (chosen, sequence, stop) => {
      const simulation = new Simulation(chosen);
      const asked: Asked[] = [];
      for (const operation of sequence) await apply(simulation, operation, asked);
      if (stop) void simulation.scheduler.stop();
      await settle(simulation, asked);
      expect(simulation.over).toBe(stop);
      const injected = sequence.filter(
        (operation) => operation.do.startsWith('fail') || operation.do === 'no room',
      );
      if (injected.length > 0) return;
      const failures = asked.flatMap(({ id }) => simulation.output.of(id).failures);
      expect(failures.filter(({ code }) => INJECTED.includes(code))).toEqual([]);
    }),
    { numRuns: 150 },
  );
});
