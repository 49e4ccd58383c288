import { choice, Grammar, sequence, text } from '../structured-output/grammar.ts';
import { addSchema, finishGrammar } from '../structured-output/schema-to-grammar.ts';
import type { ToolForm } from './tool-form.ts';

export interface CallableTool {
  name: string;
  /** JSON Schema of the arguments. Without it the function takes none, as OpenAI says. */
  parameters?: unknown;
  /** The request field that holds the schema, for error messages. */
  param: string;
}

/**
 * GBNF for exactly one call of one of the tools: what `tool_choice` `required` or a named function asks for.
 * @throws `unsupported_schema` for parameters that cannot be expressed, or that are no object
 */
export function toolCallGrammar(form: ToolForm, tools: readonly CallableTool[]): string {
  const { beforeName, beforeArguments, end } = form.written;
  const grammar = new Grammar();
  const calls = tools.map(({ name, parameters, param }) =>
    grammar.rule(
      sequence(
        text(JSON.stringify(name) + beforeArguments),
        parameters === undefined ? text('{}') : addSchema(grammar, parameters, { param, objectOnly: true }),
      ),
    ),
  );
  return finishGrammar(grammar, sequence(text(beforeName), choice(calls), text(end)), 'tools');
}
