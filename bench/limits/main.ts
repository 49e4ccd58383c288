/** `npm run bench:limits`: what the server takes when it has nothing to do, what it costs besides computing, and its memory. */
import { partsCommand, runParts } from '../support/parts.ts';
import { measureEventLoop } from './event-loop.ts';
import { measureSoak } from './soak.ts';
import { measureStandby } from './standby.ts';
import { measureStepCost } from './step-cost.ts';
import { measureWrites } from './write-amplification.ts';

const PARTS = {
  standby: measureStandby,
  'step-cost': measureStepCost,
  'event-loop': measureEventLoop,
  writes: measureWrites,
  soak: measureSoak,
};

const command = partsCommand('bench:limits', Object.keys(PARTS)).parse();
await runParts(command, import.meta.dirname, PARTS, {});
