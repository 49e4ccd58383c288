import { Command } from 'commander';
import { Failure } from '../shared/errors.ts';
import { VERSION } from '../shared/version.ts';
import { addDoctor } from './doctor.ts';
import { addServe } from './serve.ts';

const program = new Command('tierkv')
  .description('LLM server for Node.js that keeps every prefix it has computed.')
  .version(VERSION, '-v, --version')
  .showHelpAfterError('(tierkv --help lists the commands and flags)')
  .addHelpText('after', '\nPlain `tierkv` serves; `tierkv serve --help` lists its flags.')
  .enablePositionalOptions();
addServe(program);
addDoctor(program);

try {
  await program.parseAsync();
} catch (error) {
  // What the user can mend is one line; anything else is a defect and shows where.
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`tierkv: ${error.message}\n`);
  process.exitCode = 1;
}
