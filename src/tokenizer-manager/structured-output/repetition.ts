import { choice, EMPTY, type Grammar, type Node, sequence } from './grammar.ts';

/** Counts above this are made of blocks. llama.cpp refuses counts above 2000, and writes each one out. */
const BLOCK_FROM = 64;

/**
 * The same for lists. Whether the last block will be full cannot be known while it is read, so llama.cpp follows
 * three ways at once, and three more for each list inside: lists of the usual sizes do without blocks.
 */
export const LIST_BLOCK_FROM = 512;

/**
 * `item` from `min` to `max` times (`undefined`: no end). `item` must not be able to match nothing.
 * Large counts become blocks of about √n items, so that the compiled size grows with √n.
 */
export function repeated(
  grammar: Grammar,
  item: Node,
  min: number,
  max: number | undefined,
  blockFrom = BLOCK_FROM,
): Node {
  const unit = isUnit(item) ? item : grammar.rule(item);
  const start = exactly(grammar, unit, min);
  if (max === undefined) return sequence(start, { kind: 'repeat', item: unit, min: 0, max: undefined });
  return sequence(start, atMost(grammar, unit, max - min, blockFrom));
}

/** `item` or nothing. */
export function optional(item: Node): Node {
  return choice([item, EMPTY]);
}

function isUnit(node: Node): boolean {
  return node.kind === 'class' || node.kind === 'rule' || (node.kind === 'text' && node.text.length === 1);
}

function exactly(grammar: Grammar, unit: Node, count: number): Node {
  if (count === 0) return EMPTY;
  if (count <= BLOCK_FROM) return times(unit, count, count);
  const size = Math.ceil(Math.sqrt(count));
  const block = grammar.rule(times(unit, size, size));
  const blocks = Math.floor(count / size);
  const rest = count - blocks * size;
  return sequence(times(block, blocks, blocks), rest ? times(unit, rest, rest) : EMPTY);
}

function atMost(grammar: Grammar, unit: Node, count: number, blockFrom: number): Node {
  if (count === 0) return EMPTY;
  if (count <= blockFrom) return times(unit, 0, count);
  const size = Math.ceil(Math.sqrt(count));
  const block = grammar.rule(times(unit, size, size));
  const blocks = Math.floor(count / size);
  const rest = count - blocks * size;
  return grammar.rule(
    choice([
      sequence(times(block, 0, blocks - 1), times(unit, 0, size - 1)),
      sequence(times(block, blocks, blocks), rest ? times(unit, 0, rest) : EMPTY),
    ]),
  );
}

function times(item: Node, min: number, max: number): Node {
  return min === 1 && max === 1 ? item : { kind: 'repeat', item, min, max };
}
