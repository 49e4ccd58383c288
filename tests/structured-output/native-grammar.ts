import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';

/** Says whether llama.cpp itself compiles a grammar; `undefined` where its library is not installed. */
export const compilesNatively: ((grammar: string) => boolean) | undefined = load();

function load(): ((grammar: string) => boolean) | undefined {
  const folder = findLibraries();
  if (!folder) return undefined;
  // Each one resolves its symbols from those before it.
  const names = ['libggml-base.so', /^libggml\.v.*\.so$/, /^libllama\.v.*\.so$/];
  const libraries = names.map((name) => {
    const file = readdirSync(folder).find((entry) =>
      typeof name === 'string' ? entry === name : name.test(entry),
    );
    return koffi.load(join(folder, file!), { global: true });
  });
  const llama = libraries.at(-1)!;
  const init = llama.func(
    'void *llama_sampler_init_grammar(void *vocab, const char *grammar, const char *root)',
  );
  const free = llama.func('void llama_sampler_free(void *sampler)');
  return (grammar) => {
    // Without a vocabulary the grammar can be compiled, though not applied.
    const sampler: unknown = init(null, grammar, 'root');
    if (sampler) free(sampler);
    return Boolean(sampler);
  };
}

function findLibraries(): string | undefined {
  const name = `linux-${process.arch}`;
  const folder = join(import.meta.dirname, '../../node_modules/@node-llama-cpp', name, 'bins', name);
  return existsSync(folder) ? folder : undefined;
}
