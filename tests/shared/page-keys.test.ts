import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Namespace, namespaceSeed, pageKeys } from '../../src/shared/page-keys.ts';

const PLAIN: Namespace = { extraKey: undefined, cacheSalt: undefined };

function sha256(...parts: Buffer[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}

const tokensOf = fc
  .array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 200 })
  .map((list) => Int32Array.from(list));
const pageSize = fc.integer({ min: 1, max: 20 });
const field = fc.option(
  fc.array(fc.nat(0xffff), { maxLength: 4 }).map((units) => String.fromCharCode(...units)),
  { nil: undefined },
);
const namespace = fc.record({ extraKey: field, cacheSalt: field });

describe('page keys', () => {
  it('are SGLang’s chain of SHA-256 over little-endian tokens', () => {
    const first = sha256(hex('01000000' + '02000000'));
    const second = sha256(first, hex('00010000' + '0f270000'));
    expect(pageKeys('', Int32Array.of(1, 2, 256, 9999, 5), 2)).toEqual([
      first.toString('hex'),
      second.toString('hex'),
    ]);
    // printf '\x01\0\0\0\x02\0\0\0' | sha256sum
    expect(first.toString('hex')).toBe('34fb5c825de7ca4aea6e712f19d439c1da0c92c37b423936c5f618545ca4fa1f');
  });

  it('take tokens as unsigned numbers of 32 bits', () => {
    const [key] = pageKeys('', Int32Array.of(-1, -(2 ** 31)), 2);
    expect(key).toBe(sha256(hex('ffffffff' + '00000080')).toString('hex'));
    expect(pageKeys('', Int32Array.of(2 ** 31 - 1), 1)).toEqual([sha256(hex('ffffff7f')).toString('hex')]);
  });

  it('are of whole pages only', () => {
    expect(pageKeys('', Int32Array.of(1, 2, 3), 4)).toEqual([]);
    expect(pageKeys('', new Int32Array(0), 4)).toEqual([]);
    expect(pageKeys('', Int32Array.of(1, 2, 3, 4), 4)).toHaveLength(1);
  });

  it('read a part of a larger array where it stands', () => {
    const whole = Int32Array.of(7, 7, 7, 1, 2, 3, 4);
    expect(pageKeys('', whole.subarray(3), 2)).toEqual(pageKeys('', Int32Array.of(1, 2, 3, 4), 2));
  });

  it('W1: hashing continues the chain, never restarts it', () => {
    const tokens = Int32Array.from({ length: 12 }, (_, i) => i);
    const all = pageKeys('', tokens, 4);
    const [head = ''] = pageKeys('', tokens.subarray(0, 4), 4);
    expect(pageKeys(head, tokens.subarray(4), 4)).toEqual(all.slice(1));
    expect(pageKeys('', tokens.subarray(4), 4)).not.toContainEqual(all[1]);
    // Whoever holds no key of the page before cannot hash on by mistake.
    for (const wrong of [head.slice(1), `${head.slice(0, -1)}x`, 'tenant']) {
      expect(() => pageKeys(wrong, tokens, 4)).toThrow(RangeError);
    }
  });

  it('W1: are the same wherever a prompt is split', () => {
    fc.assert(
      fc.property(tokensOf, pageSize, namespace, fc.nat(), (tokens, size, names, where) => {
        const seed = namespaceSeed(names);
        const all = pageKeys(seed, tokens, size);
        const pages = where % (all.length + 1);
        const head = pageKeys(seed, tokens.subarray(0, pages * size), size);
        const rest = pageKeys(head.at(-1) ?? seed, tokens.subarray(pages * size), size);
        expect([...head, ...rest]).toEqual(all);
      }),
    );
  });

  it('name the prefix: one other token changes every key from its page on', () => {
    fc.assert(
      fc.property(tokensOf, pageSize, fc.nat(), (tokens, size, where) => {
        fc.pre(tokens.length >= size);
        const place = where % (tokens.length - (tokens.length % size));
        const other = Int32Array.from(tokens);
        other[place] = tokens[place]! ^ 1;
        const [before, after] = [pageKeys('', tokens, size), pageKeys('', other, size)];
        for (const [page, key] of before.entries()) {
          expect(after[page] === key).toBe(page < Math.floor(place / size));
        }
      }),
    );
  });
});

describe('a namespace', () => {
  it('is no seed for requests without one, as in SGLang', () => {
    expect(namespaceSeed(PLAIN)).toBe('');
  });

  it('W2: keys made of tokens alone were shared between tenants', () => {
    const tokens = Int32Array.from({ length: 8 }, (_, i) => i);
    const keysOf = (names: Partial<Namespace>) =>
      pageKeys(namespaceSeed({ ...PLAIN, ...names }), tokens, 4).join();
    const tenants = [
      {},
      { extraKey: '' },
      { cacheSalt: '' },
      { extraKey: '', cacheSalt: '' },
      { extraKey: 'a' },
      { cacheSalt: 'a' },
      { extraKey: 'ab', cacheSalt: 'c' },
      { extraKey: 'a', cacheSalt: 'bc' },
      { extraKey: 'abc' },
      { cacheSalt: 'abc' },
      // JSON can carry them, UTF-8 cannot.
      { cacheSalt: '\ud800' },
      { cacheSalt: '\ud801' },
      { cacheSalt: '\ufffd' },
    ];
    expect(new Set(tenants.map(keysOf)).size).toBe(tenants.length);
  });

  it('W2: frames its fields, so that no two share a seed', () => {
    fc.assert(
      fc.property(namespace, namespace, (one, other) => {
        const same = one.extraKey === other.extraKey && one.cacheSalt === other.cacheSalt;
        expect(namespaceSeed(one) === namespaceSeed(other)).toBe(same);
      }),
    );
    const framed = sha256(hex('01' + '04000000'), Buffer.from('a\0b\0'), hex('00'));
    expect(namespaceSeed({ extraKey: 'ab', cacheSalt: undefined })).toBe(framed.toString('hex'));
  });
});
