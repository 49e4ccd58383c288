import { sharedQuestion } from '../../concurrency.ts';
import type { Claim, ClaimState } from './claims.ts';

/** What a process may write under its claim before it looks at the others again. */
export class Allowance {
  readonly #claim: Claim;
  readonly isAlone: boolean;
  readonly #until: number;
  /** Whoever takes something asks; what others say of the claim is the same for all who do so at once. */
  readonly #state: () => Promise<ClaimState>;
  #left: number;

  /**
   * @param isAlone nobody else had a claim: until somebody sees this one, what is known here is all there is, and the
   * claim stands for what is being written at one moment; otherwise for all that is written under it
   * @param left bytes of the claim that were not taken yet
   */
  constructor(claim: Claim, isAlone: boolean, left: number, until: number) {
    this.#claim = claim;
    this.isAlone = isAlone;
    this.#left = left;
    this.#until = until;
    this.#state = sharedQuestion(() => claim.state());
  }

  /** Takes so many bytes, if they fit beside what is being written, and within the quota. */
  take(bytes: number, written: { beingWritten: number; beyondQuota: number }, now: number): boolean {
    const fits = this.isAlone
      ? written.beingWritten + bytes <= this.#claim.bytes && written.beyondQuota + bytes <= 0
      : bytes <= this.#left;
    if (!fits || now > this.#until) return false;
    this.#left -= bytes;
    return true;
  }

  /** They were not written. */
  giveBack(bytes: number): void {
    this.#left += bytes;
  }

  /** Whether what was taken just now may be written: asked after taking it. Throws the system's error. */
  async holds(): Promise<boolean> {
    const state = await this.#state();
    return state === 'new' || (state === 'seen' && !this.isAlone);
  }
}
