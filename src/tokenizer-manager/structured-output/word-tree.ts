import { choice, EMPTY, type Grammar, type Node, sequence, text } from './grammar.ts';

/** Words by their shared beginnings. A word is a list of units: characters, or escapes of several. */
export interface WordTree {
  ends: boolean;
  readonly next: Map<string, WordTree>;
}

export function wordTree(words: Iterable<readonly string[]>): WordTree {
  const root: WordTree = { ends: false, next: new Map() };
  for (const word of words) {
    let at = root;
    for (const unit of word) {
      let child = at.next.get(unit);
      if (!child) {
        child = { ends: false, next: new Map() };
        at.next.set(unit, child);
      }
      at = child;
    }
    at.ends = true;
  }
  return root;
}

/**
 * Exactly the words given. A plain list of alternatives would keep one llama.cpp stack for each word;
 * the tree keeps one for each different next character.
 */
export function anyWord(grammar: Grammar, words: Iterable<string>): Node {
  return wordsFrom(grammar, wordTree([...words].map((word) => Array.from(word))));
}

function wordsFrom(grammar: Grammar, tree: WordTree): Node {
  const branches: Node[] = tree.ends ? [EMPTY] : [];
  for (const [unit, child] of tree.next) {
    let stem = unit;
    let at = child;
    while (at.next.size === 1 && !at.ends) {
      const [[following, deeper]] = [...at.next] as [[string, WordTree]];
      stem += following;
      at = deeper;
    }
    branches.push(at.next.size === 0 ? text(stem) : sequence(text(stem), wordsFrom(grammar, at)));
  }
  return branches.length === 1 ? branches[0]! : grammar.rule(choice(branches));
}
