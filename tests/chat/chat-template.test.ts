import { describe, expect, test } from 'vitest';
import { compileChatTemplate, type RenderOptions } from '../../src/tokenizer-manager/chat/chat-template.ts';
import type { ChatMessage } from '../../src/tokenizer-manager/chat/template-messages.ts';
import { formatTime } from '../../src/tokenizer-manager/chat/template-time.ts';
import { CHATML, LLAMA3 } from './templates.ts';

const TOKENS = { bosToken: '<|begin_of_text|>', eosToken: '<|im_end|>' };
const WEATHER = { type: 'function', function: { name: 'weather', parameters: { type: 'object' } } };
const CALL = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } };

function render(source: string, messages: ChatMessage[], options: Partial<RenderOptions> = {}): string {
  return compileChatTemplate(source, TOKENS).render(messages, { addGenerationPrompt: true, ...options });
}

describe('a conversation', () => {
  test('in ChatML', () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
    ];
    expect(render(CHATML, messages)).toBe(
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    );
    expect(render(CHATML, messages, { addGenerationPrompt: false })).not.toContain('assistant');
  });

  test('in ChatML with tools, calls and their results', () => {
    const text = render(
      CHATML,
      [
        { role: 'user', content: 'Weather?' },
        { role: 'assistant', content: null, tool_calls: [CALL] },
        { role: 'tool', content: 'sunny', tool_call_id: 'call_1' },
      ],
      { tools: [WEATHER] },
    );
    expect(text).toContain('{"type": "function", "function": {"name": "weather"');
    expect(text).toContain(
      'assistant\n\n<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call><|im_end|>',
    );
    expect(text).toContain('<tool_response>\nsunny\n</tool_response>');
  });

  test('in the Llama 3 form, with and without tools', () => {
    const messages: ChatMessage[] = [
      { role: 'user', content: ' Hi ' },
      { role: 'assistant', tool_calls: [CALL] },
    ];
    const header = (role: string) => `<|start_header_id|>${role}<|end_header_id|>\n\n`;
    const talk = `${header('user')}Hi<|eot_id|>${header('assistant')}{"name": "weather", "parameters": {"city": "Rome"}}<|eot_id|>${header('assistant')}`;
    expect(render(LLAMA3, messages)).toBe(`<|begin_of_text|>${talk}`);
    expect(render(LLAMA3, messages, { tools: [] })).toBe(`<|begin_of_text|>${talk}`);
    expect(render(LLAMA3, messages, { tools: [WEATHER] })).toContain(`Environment: ipython`);
  });

  test('keeps no state from one rendering to the next', () => {
    const template = compileChatTemplate(
      '{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}',
      TOKENS,
    );
    const one = () => template.render([{ role: 'user', content: '' }], { addGenerationPrompt: false });
    expect([one(), one()]).toEqual(['1', '1']);
  });
});

describe('content', () => {
  const SOURCE = '{% for m in messages %}[{{ m.content }}]{% endfor %}';

  test('in parts of text is joined', () => {
    const parts = [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ];
    expect(render(SOURCE, [{ role: 'user', content: parts }])).toBe('[a\nb]');
    expect(render(SOURCE, [{ role: 'user', content: [] }])).toBe('[]');
  });

  test('that is null or absent is empty', () => {
    expect(render(SOURCE, [{ role: 'assistant', content: null }, { role: 'assistant' }])).toBe('[][]');
  });

  test('of another kind is refused by its place', () => {
    const image = { type: 'image_url', image_url: { url: 'data:' } };
    const messages = [
      { role: 'user', content: 'a' },
      { role: 'user', content: [{ type: 'text', text: 'b' }, image] },
    ];
    expect(() => render(SOURCE, messages)).toThrow(
      expect.objectContaining({ code: 'unsupported_parameter', param: 'messages[1].content[1]' }),
    );
  });
});

describe('tool calls', () => {
  const SOURCE =
    '{% for m in messages %}{% for c in m.tool_calls %}{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}';
  const withArguments = (text: unknown) => [
    { role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: text } }] },
  ];

  test('give their arguments to the template as an object', () => {
    expect(render(SOURCE, withArguments('{"a": [1, "é"]}'))).toBe('{"a": [1, "é"]}');
    expect(render(SOURCE, withArguments({ a: 1 }))).toBe('{"a": 1}');
  });

  test('keep arguments that are no JSON', () => {
    expect(render(SOURCE, withArguments('{"a'))).toBe('"{\\"a"');
  });

  test('are absent where a message has none', () => {
    const source = "{{ 'tool_calls' in messages[0] }}";
    expect(render(source, [{ role: 'assistant', content: '', tool_calls: [] }])).toBe('false');
    expect(render(source, [{ role: 'assistant', content: '', tool_calls: null }])).toBe('false');
  });
});

describe('variables', () => {
  test('of the request reach the template, but cannot replace its own', () => {
    const extra = {
      enable_thinking: false,
      messages: 'x',
      add_generation_prompt: 'x',
      bos_token: 'x',
      tools: 'x',
    };
    const source =
      '{{ enable_thinking }} {{ messages | length }} {{ add_generation_prompt }} {{ bos_token }} {{ tools is none }}';
    expect(render(source, [{ role: 'user', content: '' }], { extra })).toBe(
      'false 1 true <|begin_of_text|> true',
    );
    expect(() => render('', [], { extra: { raise_exception: 1 } })).toThrow(
      expect.objectContaining({ code: 'template_failed' }),
    );
  });

  test('include the time, in English', () => {
    expect(render("{{ strftime_now('%d %b %Y') }}", [])).toMatch(/^\d\d [A-Z][a-z]{2} \d{4}$/);
    const date = new Date(2024, 6, 4, 15, 5, 9);
    expect(formatTime(date, '%A %a %d %-d %B %b %m %Y %y %H:%M:%S %I %p %% %Q')).toBe(
      'Thursday Thu 04 4 July Jul 07 2024 24 15:05:09 03 PM % %Q',
    );
  });
});

describe('a failure', () => {
  test.each([
    ['of the syntax', '{% if %}', /.+/],
    ['of an unclosed block', '{% for m in messages %}', /.+/],
    ['that the template raises', "{{ raise_exception('Roles must alternate.') }}", /Roles must alternate\.$/],
    ['of the template', '{{ messages | nothing }}', /.+/],
    ['to end', '{% for i in range(1000000000) %}x{% endfor %}', /range\(\) is longer/],
    ['to make sense of a step', '{% for i in range(0, 5, 0) %}x{% endfor %}', /range\(\) is longer/],
  ])('%s is a failure of the request', (_name, source, reason) => {
    expect(() => render(source, [])).toThrow(
      expect.objectContaining({
        code: 'template_failed',
        status: 400,
        message: expect.stringMatching(reason),
      }),
    );
  });

  test('of depth too', () => {
    let deep: unknown = {};
    for (let level = 0; level < 50_000; level++) deep = { deep };
    expect(() => render('{{ tools | tojson }}', [], { tools: [deep] })).toThrow(/nested too deeply/);
  });
});
