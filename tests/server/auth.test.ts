import { describe, expect, it } from 'vitest';
import { type AuthLevel, decide, type Verdict } from '../../src/server/auth.ts';

const API = 'api';
const ADMIN = 'admin';
const KEYS = {
  none: { apiKey: undefined, adminApiKey: undefined },
  'api only': { apiKey: API, adminApiKey: undefined },
  'admin only': { apiKey: undefined, adminApiKey: ADMIN },
  both: { apiKey: API, adminApiKey: ADMIN },
};
const TOKENS = [undefined, 'wrong', API, ADMIN];

const [yes, no, never, none] = ['allow', 'unauthorized', 'forbidden', 'no-admin-key'] as const;
/** What becomes of no token, a wrong one, the API key and the admin key. */
const TABLE: [AuthLevel, keyof typeof KEYS, [Verdict, Verdict, Verdict, Verdict]][] = [
  ['open', 'none', [yes, yes, yes, yes]],
  ['open', 'both', [yes, yes, yes, yes]],
  ['normal', 'none', [yes, yes, yes, yes]],
  ['normal', 'api only', [no, no, yes, no]],
  ['normal', 'admin only', [yes, yes, yes, yes]],
  ['normal', 'both', [no, no, yes, no]],
  ['admin-optional', 'none', [yes, yes, yes, yes]],
  ['admin-optional', 'api only', [no, no, yes, no]],
  ['admin-optional', 'admin only', [no, no, no, yes]],
  ['admin-optional', 'both', [no, no, no, yes]],
  ['storage-control', 'none', [none, none, none, none]],
  ['storage-control', 'api only', [no, no, none, no]],
  ['storage-control', 'admin only', [no, no, no, yes]],
  ['storage-control', 'both', [no, no, no, yes]],
  ['admin-force', 'none', [never, never, never, never]],
  ['admin-force', 'api only', [never, never, never, never]],
  ['admin-force', 'admin only', [no, no, no, yes]],
  ['admin-force', 'both', [no, no, no, yes]],
];

describe('the verdict', () => {
  it.each(TABLE)('of level %s with %s is that of the table', (level, keys, verdicts) => {
    expect(TOKENS.map((token) => decide(level, KEYS[keys], token))).toEqual(verdicts);
  });

  it.each(['', 'ap', 'api ', 'API', 'api\0'])('does not take %j for the key', (token) => {
    expect(decide('normal', KEYS.both, token)).toBe('unauthorized');
  });
});
