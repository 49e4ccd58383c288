/**
 * A small reader of GBNF for tests: it says which texts a grammar takes, and makes up texts that it takes.
 * It follows llama.cpp's grammars/README.md and shares nothing with the code under test.
 */
export type Part =
  | { kind: 'literal'; text: string }
  | { kind: 'class'; ranges: [number, number][] }
  | { kind: 'reference'; name: string }
  | { kind: 'group'; alternatives: Part[][] }
  | { kind: 'repeat'; part: Part; min: number; max: number };

export class Gbnf {
  readonly #rules = new Map<string, Part[][]>();
  readonly #heights = new Map<string, number>();

  constructor(source: string) {
    for (const line of source.split('\n')) {
      if (line === '') continue;
      const [, name = '', body = ''] = /^([a-zA-Z0-9-]+) ::= (.*)$/s.exec(line) ?? [];
      const reader = new Reader(body);
      this.#rules.set(name, reader.alternatives());
      if (!reader.done) throw new Error(`cannot read ${line}`);
    }
    this.#measure();
  }

  alternativesOf(rule: string): readonly (readonly Part[])[] {
    return this.#rules.get(rule)!;
  }

  accepts(text: string): boolean {
    const characters = Array.from(text, (c) => c.codePointAt(0)!);
    const memo = new Map<string, Set<number>>();
    const ofRule = (name: string, at: number): Set<number> => {
      const key = `${name} ${at}`;
      let ends = memo.get(key);
      if (!ends) {
        ends = ofAlternatives(this.#rules.get(name)!, at);
        memo.set(key, ends);
      }
      return ends;
    };
    const ofAlternatives = (alternatives: Part[][], at: number): Set<number> =>
      new Set(alternatives.flatMap((parts) => [...ofSequence(parts, at)]));
    const ofSequence = (parts: Part[], at: number): Set<number> => {
      let ends = new Set([at]);
      for (const part of parts) ends = new Set([...ends].flatMap((end) => [...ofPart(part, end)]));
      return ends;
    };
    const ofPart = (part: Part, at: number): Set<number> => {
      switch (part.kind) {
        case 'literal': {
          const wanted = Array.from(part.text, (c) => c.codePointAt(0)!);
          return wanted.every((c, i) => characters[at + i] === c) ? new Set([at + wanted.length]) : new Set();
        }
        case 'class': {
          const c = characters[at];
          return c !== undefined && part.ranges.some(([a, b]) => a <= c && c <= b)
            ? new Set([at + 1])
            : new Set();
        }
        case 'reference':
          return ofRule(part.name, at);
        case 'group':
          return ofAlternatives(part.alternatives, at);
        case 'repeat': {
          const ends = new Set<number>(part.min === 0 ? [at] : []);
          let frontier = new Set([at]);
          for (let count = 1; count <= part.max && frontier.size > 0; count++) {
            frontier = new Set([...frontier].flatMap((end) => [...ofPart(part.part, end)]));
            if (count > part.min && [...frontier].every((end) => ends.has(end))) break;
            if (count >= part.min) for (const end of frontier) ends.add(end);
          }
          return ends;
        }
      }
    };
    return ofRule('root', 0).has(characters.length);
  }

  /** A text that the grammar takes; `random` gives numbers from 0 to below 1. */
  sample(random: () => number, budget = 30): string {
    const pick = <T>(items: T[]): T => items[Math.floor(random() * items.length)]!;
    const ofAlternatives = (alternatives: Part[][], depth: number): string => {
      const lowest = Math.min(...alternatives.map((parts) => this.#height(parts)));
      const usable =
        depth < budget ? alternatives : alternatives.filter((parts) => this.#height(parts) === lowest);
      return pick(usable)
        .map((part) => ofPart(part, depth + 1))
        .join('');
    };
    const ofPart = (part: Part, depth: number): string => {
      switch (part.kind) {
        case 'literal':
          return part.text;
        case 'class': {
          const [first, last] = pick(part.ranges);
          const near = Math.min(last, first + (random() < 0.8 ? 90 : Infinity));
          return String.fromCodePoint(first + Math.floor(random() * (near - first + 1)));
        }
        case 'reference':
          return ofAlternatives(this.#rules.get(part.name)!, depth);
        case 'group':
          return ofAlternatives(part.alternatives, depth);
        case 'repeat': {
          const extra = depth < budget ? Math.floor(random() * (Math.min(part.max - part.min, 4) + 1)) : 0;
          return Array.from({ length: part.min + extra }, () => ofPart(part.part, depth + 1)).join('');
        }
      }
    };
    return ofAlternatives(this.#rules.get('root')!, 0);
  }

  #height(parts: Part[]): number {
    return parts.reduce((most, part) => Math.max(most, this.#heightOfPart(part)), 0);
  }

  #heightOfPart(part: Part): number {
    switch (part.kind) {
      case 'literal':
      case 'class':
        return 0;
      case 'reference':
        return this.#heights.get(part.name) ?? Infinity;
      case 'group':
        return Math.min(...part.alternatives.map((parts) => this.#height(parts)));
      case 'repeat':
        return part.min === 0 ? 0 : this.#heightOfPart(part.part);
    }
  }

  #measure(): void {
    for (let changed = true; changed; ) {
      changed = false;
      for (const [name, alternatives] of this.#rules) {
        const height = 1 + Math.min(...alternatives.map((parts) => this.#height(parts)));
        if (height >= (this.#heights.get(name) ?? Infinity)) continue;
        this.#heights.set(name, height);
        changed = true;
      }
    }
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get done(): boolean {
    return this.#at === this.#text.length;
  }

  alternatives(): Part[][] {
    const found = [this.#sequence()];
    while (this.#take('|')) found.push(this.#sequence());
    return found;
  }

  #take(token: string): boolean {
    while (this.#text[this.#at] === ' ') this.#at++;
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #sequence(): Part[] {
    const parts: Part[] = [];
    for (let part = this.#part(); part; part = this.#part()) {
      const repeat = /^(?:([*+?])|\{(\d+)(,?)(\d*)\})/.exec(this.#text.slice(this.#at));
      if (!repeat) {
        parts.push(part);
        continue;
      }
      this.#at += repeat[0].length;
      const [, sign, from, comma, to] = repeat;
      const min = sign ? (sign === '+' ? 1 : 0) : Number(from);
      const max = sign ? (sign === '?' ? 1 : Infinity) : to ? Number(to) : comma ? Infinity : min;
      parts.push({ kind: 'repeat', part, min, max });
    }
    return parts;
  }

  #part(): Part | undefined {
    if (this.#take('"')) {
      let text = '';
      while (!this.#text.startsWith('"', this.#at)) text += String.fromCodePoint(this.#character());
      this.#at++;
      return { kind: 'literal', text };
    }
    if (this.#take('[')) {
      const ranges: [number, number][] = [];
      while (!this.#text.startsWith(']', this.#at)) {
        const first = this.#character();
        if (!this.#text.startsWith('-', this.#at)) {
          ranges.push([first, first]);
          continue;
        }
        this.#at++;
        ranges.push([first, this.#character()]);
      }
      this.#at++;
      return { kind: 'class', ranges };
    }
    if (this.#take('(')) {
      const alternatives = this.alternatives();
      if (!this.#take(')')) throw new Error(`no ) in ${this.#text}`);
      return { kind: 'group', alternatives };
    }
    const name = /^[a-zA-Z0-9-]+/.exec(this.#text.slice(this.#at))?.[0];
    if (!name) return undefined;
    this.#at += name.length;
    return { kind: 'reference', name };
  }

  #character(): number {
    const escaped = /^\\(?:x(..)|u(....)|U(.{8})|(["\\[\]-]))/.exec(
      this.#text.slice(this.#at, this.#at + 12),
    );
    if (escaped) {
      this.#at += escaped[0].length;
      const code = escaped[1] ?? escaped[2] ?? escaped[3];
      return code ? Number.parseInt(code, 16) : escaped[4]!.charCodeAt(0);
    }
    const code = this.#text.codePointAt(this.#at)!;
    this.#at += String.fromCodePoint(code).length;
    return code;
  }
}
