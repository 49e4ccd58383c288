import { failure } from '../shared/errors.ts';

/** A key that no client can send, or that is sent by nothing, is a mistake. Throws `bad_option`, without the key. */
export function checkKey(name: string, key: string | undefined): void {
  if (key === undefined || /^[\x21-\x7e]+$/.test(key)) return;
  const reason = `${name} is ${key === '' ? 'empty' : 'not made of visible ASCII characters alone'}.`;
  throw failure('bad_option', { reason });
}
