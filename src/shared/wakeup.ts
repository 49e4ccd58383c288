/** A loop's sleep: {@link wait} ends when somebody called {@link signal}, also before the wait. */
export class Wakeup {
  #signalled = false;
  #resolve: (() => void) | undefined;

  signal(): void {
    this.#signalled = true;
    this.#resolve?.();
  }

  async wait(): Promise<void> {
    if (!this.#signalled) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
      this.#resolve = undefined;
    }
    this.#signalled = false;
  }
}
