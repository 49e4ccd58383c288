import type { ClearScope } from '../../shared/storage-messages.ts';

/** Nothing else in a store is a page. `all` sees keys with the fingerprint of their model before them. */
export const PAGES: Record<ClearScope, RegExp> = {
  model: /^[0-9a-f]{64}$/,
  all: /^[0-9a-f]{64}\/[0-9a-f]{64}$/,
};

/** Whether a text can be the fingerprint of a model, which is what the namespace of its pages is named by. */
export function isFingerprint(text: string): boolean {
  return PAGES.model.test(text);
}

/** The fingerprint of the model that a page in a store is of; undefined for a key that is no page's. */
export function modelOf(key: string): string | undefined {
  return PAGES.all.test(key) ? key.slice(0, key.indexOf('/')) : undefined;
}
