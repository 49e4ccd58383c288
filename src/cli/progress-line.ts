import { SingleBar } from 'cli-progress';

/** A progress bar on stderr that appears with the first progress, and only on a terminal. */
export class ProgressLine {
  readonly #title: string;
  #bar: SingleBar | undefined;

  constructor(title: string) {
    this.#title = title;
  }

  /** @param fraction from 0 to 1 */
  update(fraction: number): void {
    if (!process.stderr.isTTY) return;
    if (!this.#bar) {
      this.#bar = new SingleBar({ format: `${this.#title} {bar} {percentage}%`, clearOnComplete: true });
      this.#bar.start(100, 0);
    }
    this.#bar.update(Math.round(fraction * 100));
  }

  end(): void {
    this.#bar?.stop();
  }
}
