import { Prefix } from '../../../src/cache/prefix.ts';
import { type Random, random } from '../../../src/models/random.ts';
import { ServedCache } from '../served-cache.ts';

const CONVERSATIONS = 100;
const TURNS = 8;
const SYSTEM_PROMPTS = 5;
const VOCABULARY = 4096;

interface Conversation {
  /** Everything that was said. */
  tokens: number[];
  turns: number;
  system: number;
}

/** Shares of what came before that are found again. */
export interface FoundAgain {
  /** In L2. */
  tokens: number;
  /** Of that, what whole pages hold: there is nothing else in L3. */
  wholePages: number;
}

/** What pages of a size lose: chats over a few system prompts, whose turns come in random order, all of them in L2. */
export async function measureGranularity(pageSize: number): Promise<FoundAgain> {
  const draw = random('chats');
  const systems = Array.from({ length: SYSTEM_PROMPTS }, () => text(draw, 100, 1500));
  const known = new Set<number>();
  const talks: Conversation[] = Array.from({ length: CONVERSATIONS }, (_, i) => {
    const system = i % SYSTEM_PROMPTS;
    return { tokens: [...systems[system]!], turns: 0, system };
  });
  const cache = await ServedCache.open({
    pageSize,
    deviceTokens: 65_536,
    keepOnDevice: 0,
    hostTokens: 4_000_000,
    evictionPolicy: 'lru',
    writePolicy: 'write_through',
    storage: false,
  });
  let [reusable, tokens, wholePages] = [0, 0, 0];
  for (let open = [...talks]; open.length > 0; open = open.filter((talk) => talk.turns < TURNS)) {
    const talk = open[draw.below(open.length)]!;
    if (talk.turns > 0 || known.has(talk.system)) reusable += talk.tokens.length;
    known.add(talk.system);
    talk.tokens.push(...text(draw, 10, 400));
    const prefix = new Prefix(Int32Array.from(talk.tokens), '', pageSize);
    const found = (await cache.begin(prefix)).host;
    tokens += found;
    wholePages += found - (found % pageSize);
    for (const token of text(draw, 20, 600)) {
      prefix.append(token);
      talk.tokens.push(token);
    }
    await cache.end(prefix);
    talk.turns++;
  }
  return { tokens: tokens / reusable, wholePages: wholePages / reusable };
}

/** As many small lengths as large ones, by their logarithms. */
function text(draw: Random, shortest: number, longest: number): number[] {
  const length = Math.round(shortest * (longest / shortest) ** (draw.below(1000) / 1000));
  return Array.from({ length }, () => draw.below(VOCABULARY));
}
