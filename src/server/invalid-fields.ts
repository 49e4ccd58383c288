/** One complaint of ajv. */
export interface Invalid {
  instancePath: string;
  keyword: string;
  params: Record<string, unknown>;
  message?: string;
}

/**
 * What is wrong with a request, in words, and the field at fault; undefined when it is the whole body.
 *
 * @param errors at least one; several when a value fits none of several schemas
 * @param context `body`, `querystring` or `params`
 */
export function describeInvalid(
  errors: readonly Invalid[],
  context: string,
): { reason: string; field: string | undefined } {
  const closest = closestOf(errors);
  const parts = placeOf(closest);
  const types = errors.filter((error) => error.keyword === 'type' && placeOf(error).join() === parts.join());
  const problem =
    closest.keyword === 'type'
      ? `must be ${[...new Set(types.map(({ params }) => params.type))].join(' or ')}`
      : explain(closest);
  if (parts.length === 0) return { reason: `The ${context} ${problem}.`, field: undefined };
  const field = fieldOf(parts);
  const place = context === 'body' ? '' : ` in the ${context}`;
  return { reason: `'${field}'${place}: ${problem}.`, field };
}

/**
 * Of the schemas that a value might have met, the one it came closest to: its complaint is about more than a type,
 * about the deepest place, or about the last one there.
 */
function closestOf(errors: readonly Invalid[]): Invalid {
  const single = errors.filter(({ keyword }) => keyword !== 'anyOf');
  const [first, ...others] = single.length > 0 ? single : errors;
  return others.reduce((best, error) => (isCloser(error, best) ? error : best), first!);
}

function isCloser(error: Invalid, best: Invalid): boolean {
  if ((error.keyword === 'type') !== (best.keyword === 'type')) return best.keyword === 'type';
  const [place, bestPlace] = [placeOf(error), placeOf(best)];
  if (place.length !== bestPlace.length) return place.length > bestPlace.length;
  const differs = place.findIndex((part, i) => part !== bestPlace[i]);
  return differs >= 0 && Number(place[differs]) > Number(bestPlace[differs]);
}

function explain({ keyword, params, message }: Invalid): string {
  if (keyword === 'enum' && Array.isArray(params.allowedValues))
    return `must be one of ${params.allowedValues.join(', ')}`;
  if (keyword === 'const') return `must be ${JSON.stringify(params.allowedValue)}`;
  if (keyword === 'required') return 'is required';
  if (keyword === 'additionalProperties') return 'is not known here';
  return message ?? 'is not valid';
}

/** The keys on the way to the value, with the missing or unknown one of its object. */
function placeOf({ instancePath, params }: Invalid): string[] {
  const parts = instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const extra = params.missingProperty ?? params.additionalProperty;
  return typeof extra === 'string' ? [...parts, extra] : parts;
}

/** `messages[0].content` */
function fieldOf(parts: readonly string[]): string {
  return parts.reduce(
    (path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path ? `${path}.${part}` : part),
    '',
  );
}
