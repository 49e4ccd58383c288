import type { Failed } from './driver.ts';
import { failed } from './results.ts';

const KEY = /^[a-z0-9_-][a-z0-9._-]*(?:\/[a-z0-9_-][a-z0-9._-]*)*$/;

/** In characters, which are bytes too. */
export const LONGEST_KEY = 200;

/** Whether a text is a key by the contract of driver.ts; no such text can leave a folder or hide in it. */
export function isKey(text: string): boolean {
  return text.length <= LONGEST_KEY && KEY.test(text);
}

export function notAKey(): Failed {
  return failed('io', 'This is not a key of the storage contract.');
}

/** For calls that take keys alone. */
export function keyed(key: string): { key: string } {
  return { key };
}
