import { parseArgs } from 'node:util';
import { withServers } from '../../bench/support/server.ts';
import { DEMO_MODEL } from '../../src/models/demo.ts';
import { Draw } from './corpus/draw.ts';
import { heldOutRequests } from './corpus/requests.ts';
import { StoryGrammar } from './evaluation/grammar.ts';
import { askOthers } from './evaluation/others.ts';
import { tellAndAsk } from './evaluation/stories.ts';

/** Measures the demo model through a server, on requests for stories that were not in its training: evaluate.ts [options]. */
const { values } = parseArgs({
  options: {
    model: { type: 'string', default: DEMO_MODEL },
    prompts: { type: 'string', default: '50' },
    temperature: { type: 'string', default: '0' },
    /** Prints every conversation. */
    verbose: { type: 'boolean', default: false },
  },
});

const temperature = Number(values.temperature);
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const percent = (marks: readonly number[]): string =>
  `${((100 * marks.reduce((sum, mark) => sum + mark, 0)) / marks.length).toFixed(0).padStart(4)} %`;

await withServers([{ '--model-path': values.model, '--threads': 1 }], async ([server]) => {
  if (!server) return;
  const grammar = new StoryGrammar();
  const marks = new Map<string, number[]>();
  const requests = heldOutRequests(new Draw('evaluation'), Number(values.prompts));
  for (const [seed, request] of requests.entries()) {
    const told = await tellAndAsk(server.url, request, grammar, { temperature, seed });
    for (const [name, mark] of Object.entries(told.marks))
      marks.set(name, [...(marks.get(name) ?? []), mark]);
    if (values.verbose) for (const { role, content } of told.dialogue) say(`${role}: ${content}`);
    if (values.verbose) say(`${JSON.stringify(told.marks)}\n`);
  }
  const others = await askOthers(server.url, { temperature, seed: 1 }, (question, answer) => {
    if (values.verbose) say(`wrong: ${question}\n       ${answer}`);
  });
  say(
    `temperature ${values.temperature}, ${values.prompts} stories asked for in words that training never had`,
  );
  for (const [name, of] of [...marks, ...others]) say(`${percent(of)}  ${name} (${of.length})`);
});
