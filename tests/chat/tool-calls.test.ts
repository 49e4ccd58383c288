import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HERMES } from '../../src/tokenizer-manager/chat/hermes.ts';
import { LLAMA3_JSON } from '../../src/tokenizer-manager/chat/llama3-json.ts';
import { newToolCallId } from '../../src/tokenizer-manager/chat/tool-call-id.ts';
import { createToolCallParser, type Delta } from '../../src/tokenizer-manager/chat/tool-call-parser.ts';
import { detectToolForm, type ToolForm } from '../../src/tokenizer-manager/chat/tool-format.ts';
import { CHATML, LLAMA3 } from './templates.ts';

const TOOLS = ['weather', 'add'];

interface Answer {
  content: string;
  calls: { id: string; name: string; arguments: string }[];
}

/** What a client makes of the deltas, which must come in a possible order. */
function answerOf(deltas: Delta[]): Answer {
  const answer: Answer = { content: '', calls: [] };
  for (const delta of deltas) {
    if (delta.type === 'content') {
      expect(delta.text).not.toBe('');
      answer.content += delta.text;
    } else if (delta.type === 'tool_call_start') {
      expect(delta.index).toBe(answer.calls.length);
      answer.calls.push({ id: delta.id, name: delta.name, arguments: '' });
    } else {
      expect(delta.index).toBe(answer.calls.length - 1);
      answer.calls[delta.index]!.arguments += delta.text;
    }
  }
  return answer;
}

function parse(form: ToolForm, chunks: string[]): Answer {
  let ids = 0;
  const parser = createToolCallParser(form, TOOLS, () => `id${ids++}`);
  return answerOf([...chunks.flatMap((chunk) => parser.push(chunk)), ...parser.end()]);
}

function call(id: number, name: string, text: string) {
  return { id: `id${id}`, name, arguments: text };
}

interface Row {
  name: string;
  form: ToolForm;
  text: string;
  content: string;
  calls?: Answer['calls'];
}

const WEATHER = '{"name": "weather", "arguments": {"city": "Rome"}}';
const LLAMA_WEATHER = '{"name": "weather", "parameters": {"city": "Rome"}}';

const ROWS: Row[] = [
  { name: 'plain text', form: HERMES, text: ' Hello <b>\n', content: ' Hello <b>\n' },
  { name: 'nothing', form: HERMES, text: '', content: '' },
  {
    name: 'one call',
    form: HERMES,
    text: `<tool_call>\n${WEATHER}\n</tool_call>`,
    content: '',
    calls: [call(0, 'weather', '{"city": "Rome"}')],
  },
  {
    name: 'text, then several calls',
    form: HERMES,
    text: `Let me see.\n\n<tool_call>\n${WEATHER}\n</tool_call>\n<tool_call>{"name":"add","arguments":{"a":[1,-2.5e3],"b":{"c":"}<\\"\\u00e9"}}}</tool_call>\n`,
    content: 'Let me see.',
    calls: [
      call(0, 'weather', '{"city": "Rome"}'),
      call(1, 'add', '{"a":[1,-2.5e3],"b":{"c":"}<\\"\\u00e9"}}'),
    ],
  },
  {
    name: 'text after a call',
    form: HERMES,
    text: `<tool_call>${WEATHER}</tool_call> Done.`,
    content: ' Done.',
    calls: [call(0, 'weather', '{"city": "Rome"}')],
  },
  {
    name: 'calls without their end',
    form: HERMES,
    text: `<tool_call>${WEATHER}\n<tool_call>${WEATHER}`,
    content: '',
    calls: [call(0, 'weather', '{"city": "Rome"}'), call(1, 'weather', '{"city": "Rome"}')],
  },
  {
    name: 'arguments before the name, an id, and escapes in names',
    form: HERMES,
    text: '<tool_call>{"arguments": { "city" : null } , "id": 7, "na\\u006de": "weath\\u0065r"}</tool_call>',
    content: '',
    calls: [call(0, 'weather', '{ "city" : null }')],
  },
  {
    name: 'no arguments',
    form: HERMES,
    text: '<tool_call>{"name": "add"}</tool_call>',
    content: '',
    calls: [call(0, 'add', '{}')],
  },
  {
    name: 'an unknown name',
    form: HERMES,
    text: 'x\n<tool_call>\n{"name": "rm", "arguments": {}}\n</tool_call>',
    content: 'x\n<tool_call>\n{"name": "rm", "arguments": {}}\n</tool_call>',
  },
  {
    name: 'broken JSON, and a call after it',
    form: HERMES,
    text: `<tool_call>\n{name: weather} <tool_call>${WEATHER}</tool_call>`,
    content: '<tool_call>\n{name: weather}',
    calls: [call(0, 'weather', '{"city": "Rome"}')],
  },
  {
    name: 'arguments that are no object',
    form: HERMES,
    text: '<tool_call>{"name": "add", "arguments": "{}"}</tool_call>',
    content: '<tool_call>{"name": "add", "arguments": "{}"}</tool_call>',
  },
  {
    name: 'arguments that break later',
    form: HERMES,
    text: '<tool_call>{"name": "add", "arguments": {"a": 1 2}}</tool_call>',
    content: '2}}</tool_call>',
    calls: [call(0, 'add', '{"a": 1 ')],
  },
  {
    name: 'a call that is cut off',
    form: HERMES,
    text: '<tool_call>{"name": "add", "arguments": {"a": "x',
    content: '',
    calls: [call(0, 'add', '{"a": "x')],
  },
  {
    name: 'a call cut off before its arguments',
    form: HERMES,
    text: 'a <tool_call>{"name": "add"',
    content: 'a <tool_call>{"name": "add"',
  },
  { name: 'half a marker', form: HERMES, text: 'a <tool_', content: 'a <tool_' },
  {
    name: 'beginnings of markers',
    form: HERMES,
    text: '<tool<tool_call<<tool_callx>',
    content: '<tool<tool_call<<tool_callx>',
  },
  { name: 'the end of a call alone', form: HERMES, text: '</tool_call>', content: '</tool_call>' },
  {
    name: 'plain text for Llama',
    form: LLAMA3_JSON,
    text: 'Hi {"name": "add"}; x',
    content: 'Hi {"name": "add"}; x',
  },
  {
    name: 'a message that is one call',
    form: LLAMA3_JSON,
    text: ` \n${LLAMA_WEATHER}`,
    content: '',
    calls: [call(0, 'weather', '{"city": "Rome"}')],
  },
  {
    name: 'several calls, by semicolon, line feed and marker',
    form: LLAMA3_JSON,
    text: `${LLAMA_WEATHER}; {"type": "function", "name": "add", "arguments": {}}\n${LLAMA_WEATHER}<|python_tag|>${LLAMA_WEATHER}\n`,
    content: '',
    calls: [
      call(0, 'weather', '{"city": "Rome"}'),
      call(1, 'add', '{}'),
      call(2, 'weather', '{"city": "Rome"}'),
      call(3, 'weather', '{"city": "Rome"}'),
    ],
  },
  {
    name: 'a marked call after text',
    form: LLAMA3_JSON,
    text: `One moment. <|python_tag|>${LLAMA_WEATHER}`,
    content: 'One moment.',
    calls: [call(0, 'weather', '{"city": "Rome"}')],
  },
  {
    name: 'Python code',
    form: LLAMA3_JSON,
    text: '<|python_tag|>print({"a": 1})',
    content: '<|python_tag|>print({"a": 1})',
  },
  {
    name: 'a JSON answer that is no call',
    form: LLAMA3_JSON,
    text: '{"name": "Bob", "age": 3}',
    content: '{"name": "Bob", "age": 3}',
  },
  {
    name: 'a JSON answer with other keys',
    form: LLAMA3_JSON,
    text: '{"type": "x", "name": "add", "why": {}}',
    content: '{"type": "x", "name": "add", "why": {}}',
  },
  { name: 'a bare name is no call', form: LLAMA3_JSON, text: '{"name": "add"}', content: '{"name": "add"}' },
  {
    name: 'text after a bare call',
    form: LLAMA3_JSON,
    text: `${LLAMA_WEATHER}; and more`,
    content: '; and more',
    calls: [call(0, 'weather', '{"city": "Rome"}')],
  },
  { name: 'blanks only', form: LLAMA3_JSON, text: ' ;\n', content: ' ;\n' },
];

describe('an answer', () => {
  for (const { name, form, text, content, calls = [] } of ROWS) {
    test(`${form.name}: ${name}`, () => {
      expect(parse(form, [text])).toEqual({ content, calls });
      expect(parse(form, text.split(''))).toEqual({ content, calls });
      for (let cut = 1; cut < text.length; cut++) {
        expect(parse(form, [text.slice(0, cut), text.slice(cut)])).toEqual({ content, calls });
      }
    });
  }

  const piece = fc.constantFrom(
    ...[
      '<tool_call>',
      '</tool_call>',
      '<|python_tag|>',
      WEATHER,
      LLAMA_WEATHER,
      '{',
      '}',
      '"name"',
      ': ',
      ',',
      '"weather"',
    ],
    ...[
      '"arguments"',
      '"parameters"',
      '{}',
      '[',
      '1',
      '"x',
      '"',
      '\\',
      '\\u00',
      ' ',
      '\n',
      ';',
      'text',
      '<',
      'é😀',
    ],
  );
  const noisy = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(''));

  test.each([HERMES, LLAMA3_JSON])('means the same however it is cut: $name', (form) => {
    fc.assert(
      fc.property(noisy, fc.array(fc.nat(6), { minLength: 1 }), (text, lengths) => {
        const chunks: string[] = [];
        for (let at = 0, turn = 0; at < text.length; turn++) {
          const length = lengths[turn % lengths.length]! + (turn % 7 === 0 ? 1 : 0);
          chunks.push(text.slice(at, at + length));
          at += length;
        }
        expect(parse(form, chunks)).toEqual(parse(form, [text]));
      }),
      { numRuns: 1500 },
    );
  });

  test.each([HERMES, LLAMA3_JSON])('loses no text, and a whole call has valid arguments: $name', (form) => {
    fc.assert(
      fc.property(noisy, (text) => {
        const { content, calls } = parse(form, [text]);
        if (calls.length === 0) expect(content).toBe(text);
        for (const { arguments: json } of calls) expect(text).toContain(json === '{}' ? '' : json);
        for (const { arguments: json } of calls.slice(0, -1)) if (content === '') JSON.parse(json);
      }),
      { numRuns: 1500 },
    );
  });
});

describe('while an answer arrives', () => {
  test('text comes at once, what may be a marker is held back', () => {
    const parser = createToolCallParser(HERMES, TOOLS);
    expect(parser.push('Hello')).toEqual([{ type: 'content', text: 'Hello' }]);
    expect(parser.push(' <tool')).toEqual([]);
    expect(parser.push('s>')).toEqual([{ type: 'content', text: ' <tools>' }]);
    expect(parser.push('\n<tool_call>{"na')).toEqual([]);
    expect(parser.push('me": "add", "arguments"')).toEqual([]);
    expect(parser.push(': ')).toEqual([]);
    expect(parser.push('{"a"')).toMatchObject([
      { type: 'tool_call_start', index: 0, name: 'add', id: expect.stringMatching(/^call_/) },
      { type: 'tool_call_arguments', index: 0, text: '{"a"' },
    ]);
    expect(parser.push(': 1')).toEqual([{ type: 'tool_call_arguments', index: 0, text: ': 1' }]);
    expect(parser.push('}}\n')).toEqual([{ type: 'tool_call_arguments', index: 0, text: '}' }]);
    expect(parser.push('</tool_')).toEqual([]);
    expect(parser.push('call>\n')).toEqual([]);
    expect(parser.end()).toEqual([]);
  });

  test('JSON that turns out to be an answer comes as soon as that is clear', () => {
    const parser = createToolCallParser(LLAMA3_JSON, TOOLS);
    expect(parser.push('{"ans')).toEqual([]);
    expect(parser.push('wer": 1')).toEqual([{ type: 'content', text: '{"answer": 1' }]);
    expect(parser.push('}')).toEqual([{ type: 'content', text: '}' }]);
  });

  test('a long text takes time in proportion to its length', () => {
    const hostile = `${'<tool_call>{"a":"'.repeat(4000)}${'['.repeat(20_000)}${' '.repeat(20_000)}`;
    const started = performance.now();
    const { content } = parse(HERMES, hostile.match(/.{1,5}/gs)!);
    expect(content).toBe(hostile);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

test('the form is told from the template', () => {
  expect(detectToolForm(CHATML)).toBe(HERMES);
  expect(detectToolForm(LLAMA3)).toBe(LLAMA3_JSON);
  expect(detectToolForm('{{ "{\\"name\\": n, \\"parameters\\": p}" }}<|python_tag|>')).toBe(LLAMA3_JSON);
  expect(detectToolForm('<tool_call>\n<function=x>')).toBeUndefined();
  expect(detectToolForm('<tool_call>{"name": "x", "arguments": <arg_key>')).toBeUndefined();
  expect(detectToolForm('<tool_call><invoke>')).toBeUndefined();
  expect(detectToolForm("{{ messages[0]['content'] }}")).toBeUndefined();
});

test('ids look like those of OpenAI and do not repeat', () => {
  const ids = Array.from({ length: 100 }, newToolCallId);
  for (const id of ids) expect(id).toMatch(/^call_[0-9A-Za-z]{24}$/);
  expect(new Set(ids).size).toBe(100);
});
