import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Workload } from '../../bench/workload.ts';
import { type FanoutOptions, fanout } from '../../bench/workloads/fanout.ts';
import { type LongdocOptions, longdoc } from '../../bench/workloads/longdoc.ts';
import { type MultiturnOptions, multiturn, QUEUE_POLICIES } from '../../bench/workloads/multiturn.ts';
import { type OpenloopOptions, openloop } from '../../bench/workloads/openloop.ts';
import { type ReplayOptions, replay } from '../../bench/workloads/replay.ts';
import { type RestartOptions, restart } from '../../bench/workloads/restart.ts';
import { type SituationsOptions, situations } from '../../bench/workloads/situations.ts';
import { type SteadyOptions, steady } from '../../bench/workloads/steady.ts';
import { number, wholeNumber } from '../option-types.ts';
import { type BenchFlags, withBench } from './options.ts';
import { runBench } from './run.ts';

const some = wholeNumber(1);
const any = wholeNumber(0);
const positive = number(Number.MIN_VALUE);

/** `tierkv bench …`: what a server does under a load, over HTTP alone. */
export function addBench(program: Command): void {
  const bench = program
    .command('bench')
    .description('measure servers under a workload, and count what they compute');
  const add = <Options>(workload: Workload<Options>) =>
    withBench(bench.command(workload.name).description(workload.about))
      .action((flags: BenchFlags & Options) => runBench(workload, flags))
      .optionsGroup('Workload (lengths in tokens):');

  add<MultiturnOptions>(multiturn)
    .option('--clients <n>', 'conversations', some, 8)
    .option('--rounds <n>', 'turns of each', some, 5)
    .option('--request-length <n>', 'what a user says', some, 256)
    .option('--output-length <n>', 'an answer', some, 64)
    .option('--system-length <n>', 'a text that all conversations begin with', any, 0)
    .option('--parallel <n>', 'requests at once, at most', some, 4)
    .option('--rate <n>', 'requests a second at most, on average (default: no bound)', positive)
    .addOption(
      new Option('--ready-queue-policy <policy>', 'whose turn is next')
        .choices(QUEUE_POLICIES)
        .default('random'),
    );
  add<FanoutOptions>(fanout)
    .option('--prefix-length <n>', 'what all branches begin with', some, 2048)
    .option('--branches <n>', 'requests at once', some, 8)
    .option('--branch-length <n>', 'what is their own', some, 32)
    .option('--output-length <n>', 'an answer', some, 32);
  add<RestartOptions>(restart)
    .option('--clients <n>', 'conversations', some, 4)
    .option('--rounds <n>', 'turns of each before those that are compared', some, 2)
    .option('--request-length <n>', 'what a user says', some, 256)
    .option('--next-length <n>', 'what a user says in those that are compared (default: the same)', some)
    .option('--output-length <n>', 'an answer', some, 32)
    .option('--system-length <n>', 'a text that all conversations begin with', any, 0)
    .option('--parallel <n>', 'requests at once', some, 1);
  add<SteadyOptions>(steady)
    .option('--parallel <n,…>', 'requests at a time, one measurement after the other', counts, [1, 4, 8])
    .option('--prompt-length <n>', 'a prompt', some, 512)
    .option('--output-length <n>', 'an answer', wholeNumber(2), 96);
  add<ReplayOptions>(replay)
    .option('--trace <file>', 'JSON lines of Mooncake’s form (default: a part of its trace of conversations)')
    .option('--limit <n>', 'the first requests alone', some, 100)
    .option('--scale <n>', 'what all lengths are multiplied with', positive, 0.03125)
    .option('--speed <n>', "follow the trace's clock, so many times faster (default: do not)", positive)
    .option('--parallel <n>', 'requests at once, without --speed', some, 4);
  add<LongdocOptions>(longdoc)
    .option('--documents <n>', 'documents', some, 8)
    .option('--document-length <n>', 'a document', some, 2048)
    .option('--questions <n>', 'questions to each', some, 4)
    .option('--question-length <n>', 'a question', some, 32)
    .option('--output-length <n>', 'an answer', some, 32)
    .option('--parallel <n>', 'requests at once', some, 1);
  add<OpenloopOptions>(openloop)
    .option('--rate <n>', 'requests a second; with --ttft-bound those of the first try', positive, 1)
    .option(
      '--ttft-bound <ms>',
      'look for the highest rate at which p99 of the first token is not later',
      positive,
    )
    .option('--requests <n>', 'requests at each rate', some, 40)
    .option('--prompt-length <n>', 'what is its own of a prompt', some, 256)
    .option('--output-length <n>', 'an answer', some, 32)
    .option('--system-length <n>', 'what all prompts begin with', any, 0);
  add<SituationsOptions>(situations)
    .option('--system-length <n>', 'the text that conversations begin with', some, 512)
    .option('--turn-length <n>', 'what a user says', some, 128)
    .option('--output-length <n>', 'an answer', some, 32);
}

/** Whole numbers with commas between them. */
function counts(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.every((value) => Number.isSafeInteger(value) && value > 0)) return values;
  throw new InvalidArgumentError('It must be whole numbers of at least 1, with commas between them.');
}
