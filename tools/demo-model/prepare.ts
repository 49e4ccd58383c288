import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Draw } from './corpus/draw.ts';
import { type Document, document, echoDocument } from './documents.ts';
import { SHAPE } from './shape.ts';
import { demoTokenizer } from './tokenizer.ts';

/** Writes the tokens of a split: `NAME.tokens` (u16), `NAME.learned` (u8), `NAME.lengths` (u32 a document). */
function writeSplit(folder: string, name: string, documents: readonly Document[]): void {
  const write = (kind: string, bytes: NodeJS.TypedArray) =>
    writeFileSync(path.join(folder, `${name}.${kind}`), bytes);
  write('tokens', Uint16Array.from(documents.flatMap(({ tokens }) => tokens)));
  write('learned', Uint8Array.from(documents.flatMap(({ learned }) => learned)));
  write(
    'lengths',
    Uint32Array.from(documents, ({ tokens }) => tokens.length),
  );
}

/** Of the first so many tokens, most documents are echoes, and of the others one in so many. */
const ECHOES = { first: 700_000, firstOf: 10, firstShare: 8, thenOneOf: 6 };

function isEcho(draw: Draw, tokens: number): boolean {
  return tokens < ECHOES.first
    ? draw.between(1, ECHOES.firstOf) <= ECHOES.firstShare
    : draw.once(ECHOES.thenOneOf);
}

/** Documents up to so many tokens together. `parts` says how many subjects a conversation has. */
function documents(
  name: string,
  total: number,
  most: number,
  parts: (draw: Draw) => number,
  echo: (draw: Draw, tokens: number) => boolean = () => false,
): Document[] {
  const made: Document[] = [];
  for (let tokens = 0, i = 0; tokens < total; i++) {
    const draw = new Draw(`${name}/${i}`);
    const next = echo(draw, tokens)
      ? echoDocument(draw, tokenizer)
      : document(draw, tokenizer, parts(draw), most);
    made.push(next);
    tokens += next.tokens.length;
  }
  return made;
}

/** Most conversations fit into a row of training; the long ones are there for all positions of the context. */
const SHORT = 512;
const oneToThree = (draw: Draw): number =>
  draw.weighted([
    [6, 1],
    [3, 2],
    [1, 3],
  ]);

const folder = process.argv[2];
if (!folder) throw new Error('Usage: prepare.ts FOLDER [MILLIONS OF TOKENS]');
const millions = Number(process.argv[3] ?? 8);
mkdirSync(folder, { recursive: true });
const tokenizer = demoTokenizer();
writeSplit(folder, 'train', documents('train', millions * 1e6, SHORT, oneToThree, isEcho));
writeSplit(
  folder,
  'long',
  documents('long', (millions * 1e6) / 8, SHAPE.context, () => 24),
);
writeSplit(folder, 'held-out', documents('held-out', 60_000, SHORT, oneToThree));
writeFileSync(path.join(folder, 'shape.json'), JSON.stringify(SHAPE));
