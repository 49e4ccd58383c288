import { expect, test } from 'vitest';
import { z } from 'zod';
import { grammarOf, randomFrom } from './grammar-of.ts';

const Person = z.object({
  name: z.string().min(1).max(40),
  email: z.email(),
  id: z.uuid(),
  born: z.iso.date(),
  seen: z.iso.datetime().nullable(),
  alarm: z.iso.time().optional(),
  address: z.union([z.ipv4(), z.ipv6()]),
  age: z.int().min(0).max(150),
  score: z.number().gt(0).lt(1),
  role: z.enum(['admin', 'user', 'guest']),
  tags: z.array(z.string()).max(3),
  point: z.tuple([z.number(), z.number()]),
  counts: z.record(z.string(), z.int()),
  contact: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('phone'), number: z.string().regex(/^\+\d{6,14}$/) }),
    z.object({ kind: z.literal('none') }),
  ]),
  get children() {
    return z.array(Person);
  },
});

test('what a grammar of a Zod schema makes is what Zod accepts', () => {
  const grammar = grammarOf(z.toJSONSchema(Person));
  const random = randomFrom(11);
  for (let count = 0; count < 40; count++) {
    const sample = grammar.sample(random, 24);
    expect(Person.safeParse(JSON.parse(sample)).error, sample).toBeUndefined();
  }
});
