/** What progress is written to: stderr, or what stands for it in a test. */
export interface ProgressOutput {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

const EMPTY_LINE = '\r\x1b[2K';

/** One line of a terminal that is written again and again, and is gone in the end. On anything else it is not seen. */
export class StatusLine {
  readonly #output: ProgressOutput;

  constructor(output: ProgressOutput = process.stderr) {
    this.#output = output;
  }

  get isShown(): boolean {
    return this.#output.isTTY === true;
  }

  show(parts: readonly string[]): void {
    if (!this.isShown) return;
    const line = parts.filter(Boolean).join(' · ');
    // A terminal that does not know its width says 0.
    this.#output.write(EMPTY_LINE + line.slice(0, (this.#output.columns || 80) - 1));
  }

  clear(): void {
    if (this.isShown) this.#output.write(EMPTY_LINE);
  }
}
