/** What every part of `npm run bench:cache` is given. */
export interface Settings {
  /** Measurements of each side, in turn. */
  rounds: number;
  /** To see that it runs: small shapes on the tiny model. */
  quick: boolean;
  modelPath: string;
  /** The file of the trace. */
  trace: string;
  say(line: string): void;
}

/** What a part found out. */
export interface Measured {
  /** What is kept as JSON. */
  data: object;
  /** What is printed and written into docs/benchmarks.md. */
  markdown: string;
  /** What it was measured on, besides the machine. */
  about: string;
}

export type Part = (settings: Settings) => Promise<Measured>;

/** Of figures that a model was needed for. */
export function withModel({ rounds }: Settings): string {
  return `197 M parameters in q8_0, medians of ${rounds} rounds`;
}
