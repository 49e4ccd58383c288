import { describe, expect, test } from 'vitest';
import { HERMES } from '../../src/tokenizer-manager/chat/hermes.ts';
import { LLAMA3_JSON } from '../../src/tokenizer-manager/chat/llama3-json.ts';
import { createToolCallParser } from '../../src/tokenizer-manager/chat/tool-call-parser.ts';
import { type CallableTool, toolCallGrammar } from '../../src/tokenizer-manager/chat/tool-grammar.ts';
import { randomFrom, readGrammar } from '../structured-output/grammar-of.ts';

const TOOLS: CallableTool[] = [
  {
    name: 'weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer' } },
      required: ['city'],
    },
    param: 'tools[0].function.parameters',
  },
  { name: 'now', param: 'tools[1].function.parameters' },
  { name: 'any"thing', parameters: {}, param: 'tools[2].function.parameters' },
  {
    name: 'tree',
    parameters: {
      $ref: '#/$defs/node',
      $defs: { node: { type: 'object', properties: { left: { $ref: '#/$defs/node' } } } },
    },
    param: 'tools[3].function.parameters',
  },
];

describe('a required call', () => {
  test('in the Hermes form', () => {
    const grammar = readGrammar(toolCallGrammar(HERMES, TOOLS));
    for (const inner of [
      '{"name": "weather", "arguments": {"city": "Rome", "days": 2}}',
      '{"name": "now", "arguments": {}}',
      '{"name": "any\\"thing", "arguments": {"x": [1]}}',
      '{"name": "tree", "arguments": {"left": {"left": {}}}}',
    ]) {
      expect(grammar.accepts(`<tool_call>\n${inner}\n</tool_call>`), inner).toBe(true);
      expect(grammar.accepts(inner), inner).toBe(false);
    }
    for (const inner of [
      '{"name": "weather", "arguments": {}}',
      '{"name": "now", "arguments": {"a": 1}}',
      '{"name": "rain", "arguments": {}}',
      '{"name": "any\\"thing", "arguments": []}',
    ]) {
      expect(grammar.accepts(`<tool_call>\n${inner}\n</tool_call>`), inner).toBe(false);
    }
  });

  test('in the Llama 3 form, of one named function', () => {
    const grammar = readGrammar(toolCallGrammar(LLAMA3_JSON, TOOLS.slice(0, 1)));
    expect(grammar.accepts('{"name": "weather", "parameters": {"city": ""}}')).toBe(true);
    expect(grammar.accepts('{"name": "now", "parameters": {}}')).toBe(false);
  });

  test.each([HERMES, LLAMA3_JSON])('is read back as one call: $name', (form) => {
    const grammar = readGrammar(toolCallGrammar(form, TOOLS));
    const random = randomFrom(1);
    for (let count = 0; count < 50; count++) {
      const text = grammar.sample(random);
      const parser = createToolCallParser(
        form,
        TOOLS.map(({ name }) => name),
        () => 'id',
      );
      const deltas = [...parser.push(text), ...parser.end()];
      expect(
        deltas.map(({ type }) => type),
        text,
      ).toEqual(['tool_call_start', 'tool_call_arguments']);
    }
  });

  test('names the tool whose parameters cannot be expressed', () => {
    const broken = (parameters: unknown) => () =>
      toolCallGrammar(HERMES, [...TOOLS, { name: 'f', parameters, param: 'tools[4].function.parameters' }]);
    const refusal = { code: 'unsupported_schema', param: 'tools[4].function.parameters' };
    expect(broken({ type: 'object', properties: { a: { not: {} } } })).toThrow(
      expect.objectContaining(refusal),
    );
    expect(broken({ type: 'string' })).toThrow(expect.objectContaining(refusal));
    expect(broken({ type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] })).toThrow(
      expect.objectContaining(refusal),
    );
    expect(broken(3)).toThrow(expect.objectContaining(refusal));
  });
});
