import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { parse as parseJson } from 'secure-json-parse';
import { failure } from '../shared/errors.ts';

/**
 * JSON only, and only in valid UTF-8: a decoder that replaces bytes would change prompts silently.
 *
 * @param empty what stands for an empty body; undefined refuses it
 */
export function parseStrictJson(app: FastifyInstance, empty?: object): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    const bytes = body as Buffer;
    if (!isUtf8(bytes)) return done(failure('invalid_encoding', undefined));
    if (bytes.length === 0 && empty) return done(null, empty);
    if (bytes.length === 0) return done(failure('invalid_json', { reason: 'it is empty' }));
    try {
      // Refuses `__proto__` and its like, which JSON.parse would take for plain keys.
      done(null, parseJson(bytes.toString('utf8')));
    } catch (cause) {
      done(failure('invalid_json', { reason: withoutQuote((cause as Error).message) }, { cause }));
    }
  });
}

/** V8 quotes what stands around the place, which may be a secret. */
function withoutQuote(message: string): string {
  return message.replace(/, (?:\.{3})?".*"(?:\.{3})? is not valid JSON$/s, '');
}

/** Takes no notice of bodies, whatever they are. */
export function ignoreBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume();
    done(null);
  });
}
