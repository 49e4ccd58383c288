import { type Command, Option } from 'commander';
import { wholeNumber } from '../option-types.ts';

/** Flags of every workload. */
export interface BenchFlags {
  url: string[];
  server: string[];
  label: string[];
  repeat: number;
  seed: number;
  timeout: number;
  startTimeout: number;
  apiKey?: string;
  /** A file, or true for stdout. */
  json?: string | true;
}

const collect = (text: string, before: string[]) => [...before, text];
const ADDRESS = 'a server that runs; may be given several times';
const COMMAND =
  'a command that starts one on {port}, and may keep things in the folder {dir}; may be given several times';

export function withBench(command: Command): Command {
  return command
    .optionsGroup('Servers:')
    .option('--url <url>', ADDRESS, collect, [])
    .option('--server <command>', COMMAND, collect, [])
    .option('--label <name>', 'what to call it; as many as there are servers, in their order', collect, [])
    .addOption(new Option('--api-key <key>', 'a key that servers ask for').env('TIERKV_API_KEY'))
    .option('--timeout <s>', 'seconds for each request', wholeNumber(1), 600)
    .option('--start-timeout <s>', 'seconds until a server is ready', wholeNumber(1), 300)
    .optionsGroup('Measuring:')
    .option('--repeat <n>', 'rounds, in each of which every server has its turn', wholeNumber(1), 1)
    .option('--seed <n>', 'makes texts and their order repeatable', wholeNumber(0), 1)
    .option('--json [file]', 'write JSON to a file, or instead of the table');
}
