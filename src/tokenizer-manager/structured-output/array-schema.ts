import type { Conversion } from './conversion.ts';
import { EMPTY, type Node, sequence, text } from './grammar.ts';
import { afterComma, blanks, enclosed } from './json-rules.ts';
import { LIMITS } from './limits.ts';
import { LIST_BLOCK_FROM, optional, repeated } from './repetition.ts';
import { countAt, inside, listAt, own, type Place, refuse, type SchemaObject } from './schema-place.ts';

/** Lists: `prefixItems` one by one, then `items`. @throws `unsupported_schema` */
export function arraySchema(conversion: Conversion, schema: SchemaObject, place: Place): Node {
  const { grammar } = conversion;
  const unique = own(schema, 'uniqueItems');
  if (unique !== undefined && unique !== false) refuse(place, "'uniqueItems' is not supported");
  const min = countAt(schema, 'minItems', place) ?? 0;
  const given = countAt(schema, 'maxItems', place) ?? Infinity;
  if (min > given) refuse(place, "no list is as short as 'maxItems' and as long as 'minItems'");
  if (min > LIMITS.repetitions) refuse(place, `'minItems' is above ${LIMITS.repetitions}`);
  if (given > LIMITS.repetitions && given !== Infinity)
    refuse(place, `'maxItems' is above ${LIMITS.repetitions}`);

  const prefix = listAt(schema, 'prefixItems', place) ?? [];
  const items = own(schema, 'items');
  if (Array.isArray(items)) refuse(place, "a list in 'items' is not supported, use 'prefixItems'");
  const rest = items ?? (prefix.length === 0 || min > prefix.length);
  const max = rest === false ? Math.min(given, prefix.length) : given;
  if (min > max) refuse(place, "'minItems' asks for more items than are allowed");
  if (max === 0) return sequence(text('['), blanks(grammar), text(']'));

  const heads = prefix
    .slice(0, max)
    .map((item, index) => conversion.convert(item, inside(place, 'prefixItems', index)));
  const item = max > heads.length ? conversion.convert(rest, inside(place, 'items')) : undefined;

  let tail: Node = EMPTY;
  const [first = item!] = heads;
  if (item) {
    const taken = Math.max(1, heads.length);
    const most = max === Infinity ? undefined : max - taken;
    tail = repeated(grammar, afterComma(grammar, item), Math.max(0, min - taken), most, LIST_BLOCK_FROM);
  }
  for (let index = heads.length - 1; index >= 1; index--) {
    const following = grammar.rule(sequence(afterComma(grammar, heads[index]!), tail));
    tail = index < min ? following : optional(following);
  }
  return enclosed(grammar, '[', sequence(first, tail), ']', min === 0);
}
