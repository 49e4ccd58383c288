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
      return schemaToGrammar(format.json_schema.schema, { param: 'response_format.json_schema.schema' });
    default:
      return undefined;
  }
}
