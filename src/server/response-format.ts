import { failure } from '../shared/errors.ts';
import {
  jsonObjectGrammar,
  schemaToGrammar,
} from '../tokenizer-manager/structured-output/schema-to-grammar.ts';
import type { OpenAiSampling } from './schemas/openai-sampling.ts';

/** The grammar that a `response_format` demands; undefined for plain text. */
export function responseGrammar(format: OpenAiSampling['response_format']): string | undefined {
  switch (format?.type) {
    case 'json_object':
      return jsonObjectGrammar();
    case 'json_schema':
      if (!format.json_schema) {
        const param = 'response_format.json_schema';
        throw failure('invalid_value', { reason: `'${param}': is required.` }, { param });
      }
      return schemaToGrammar(format.json_schema.schema, { param: 'response_format.json_schema.schema' });
    default:
      return undefined;
  }
}
