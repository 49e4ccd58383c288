/** `npm run bench:cache`: what the tiers of the cache bring, what they cost, and what their defaults rest on. */
import { SAMPLE_TRACE } from '../../src/bench/trace/trace.ts';
import { partsCommand, runParts } from '../support/parts.ts';
import { measureFirstToken } from './first-token/part.ts';
import { measureKept } from './kept-on-device.ts';
import { measureMisses } from './misses/part.ts';
import { measurePages } from './pages/part.ts';
import { measureReplay } from './replay/part.ts';

const PARTS = {
  'first-token': measureFirstToken,
  misses: measureMisses,
  kept: measureKept,
  pages: measurePages,
  replay: measureReplay,
};

const command = partsCommand('bench:cache', Object.keys(PARTS))
  .option('--trace <file>', 'what is replayed', SAMPLE_TRACE)
  .parse();
await runParts(command, import.meta.dirname, PARTS, { trace: command.opts<{ trace: string }>().trace });
