import { Command } from 'commander';
import { Failure } from '../shared/errors.ts';
import { VERSION } from '../shared/version.ts';
import { addBench } from './bench/commands.ts';
import { addDoctor } from './doctor.ts';
import { addServe } from './serve.ts';
import { addStorage } from './storage/commands.ts';

const program = new Command('tierkv')
  .description('LLM server for Node.js that keeps every prefix it has computed.')
  .version(VERSION, '-v, --version')
  .configureOutput({
    // One line, also where commander adds a suggestion.
    outputError: (text, write) => {
      const problem = text
        .trim()
        .replace(/^error: /, '')
        .replaceAll('\n', ' ')
        // What follows a flag that was mistyped may be a key or a configuration.
        .replace(/(unknown option '[^'=]*)=.*'/, "$1'");
      write(`tierkv: ${problem} (tierkv --help lists the commands and flags)\n`);
    },
  })
  .addHelpText('after', '\nPlain `tierkv` serves; `tierkv serve --help` lists its flags.')
  .enablePositionalOptions();
addServe(program);
addDoctor(program);
addStorage(program);
addBench(program);

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever reads, such as `head`, may have enough.
  if (error.code !== 'EPIPE') throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  // What the user can mend is one line; anything else is a defect and shows where.
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`tierkv: ${error.message}\n`);
  process.exitCode = 1;
}
