import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const source = path.join(import.meta.dirname, '../../src');

/** What each folder may import from, besides itself and `shared`. */
const KNOWS: Record<string, string[]> = {
  cli: ['bench', 'server', 'engine', 'models', 'storage', 'cache'],
  bench: ['models'],
  server: ['tokenizer-manager', 'ranks', 'cache', 'storage', 'engine'],
  'tokenizer-manager': ['ranks', 'engine'],
  ranks: ['transport', 'scheduler', 'cache', 'controller', 'storage', 'engine'],
  scheduler: ['cache', 'engine'],
  cache: ['controller', 'engine'],
  controller: ['storage', 'engine'],
  transport: [],
  engine: [],
  models: [],
  'storage-suite': ['storage'],
  storage: [],
  shared: [],
};

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.includes(path.sep) && file.endsWith('.ts'),
);

function importsOf(file: string): string[] {
  const text = readFileSync(path.join(source, file), 'utf8');
  return [...text.matchAll(/(?:from|import) '([^']+)'/g)].map((match) => match[1] ?? '');
}

test('no folder imports from one above it on a request’s way', () => {
  const wrong = files.flatMap((file) => {
    const [folder = ''] = file.split(path.sep);
    const allowed = new Set([folder, 'shared', ...(KNOWS[folder] ?? [])]);
    return importsOf(file)
      .filter((target) => target.startsWith('.'))
      .map(
        (target) =>
          path.relative(source, path.resolve(source, path.dirname(file), target)).split(path.sep)[0] ?? '',
      )
      .filter((target) => !allowed.has(target))
      .map((target) => `${file} imports from ${target}`);
  });
  expect(wrong).toEqual([]);
});

test('only the engine over llama.cpp imports koffi', () => {
  const users = files.filter((file) => importsOf(file).includes('koffi')).map((file) => path.dirname(file));
  expect([...new Set(users)]).toEqual([path.join('engine', 'llama')]);
});

test('no source file has more than 400 lines', () => {
  const long = files.filter((file) => readFileSync(path.join(source, file), 'utf8').split('\n').length > 401);
  expect(long).toEqual([]);
});
