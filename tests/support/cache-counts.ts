import type { CacheObserver } from '../../src/cache/create-cache.ts';

/** Adds up what a cache tells its observer, in tokens. */
export class CacheCounts implements CacheObserver {
  savedTokens = 0;
  loadedTokens = 0;
  prefetchedTokens = 0;
  backedUpTokens = 0;
  readonly missed: Record<string, number> = {};
  readonly notStored: Record<string, number> = {};

  saved(tokens: number): void {
    this.savedTokens += tokens;
  }

  loaded(tokens: number): void {
    this.loadedTokens += tokens;
  }

  prefetched(tokens: number): void {
    this.prefetchedTokens += tokens;
  }

  unfulfilled(reason: string, tokens: number): void {
    this.missed[reason] = (this.missed[reason] ?? 0) + tokens;
  }

  backedUp(tokens: number): void {
    this.backedUpTokens += tokens;
  }

  notBackedUp(reason: string, tokens: number): void {
    this.notStored[reason] = (this.notStored[reason] ?? 0) + tokens;
  }
}
