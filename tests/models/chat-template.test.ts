import { Template } from '@huggingface/jinja';
import { describe, expect, it } from 'vitest';
import { CHAT_TEMPLATE } from '../../src/models/chat-template.ts';

const template = new Template(CHAT_TEMPLATE);
const render = (values: Record<string, unknown>): string => template.render(values);

const weather = {
  type: 'function',
  function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
};

const talk = [
  { role: 'system', content: 'Be kind.' },
  {
    role: 'user',
    content: [
      { type: 'text', text: 'How is ' },
      { type: 'text', text: 'Paris?' },
    ],
  },
  {
    role: 'assistant',
    content: null,
    tool_calls: [
      { id: '1', type: 'function', function: { name: 'get_weather', arguments: '{"city": "Paris"}' } },
      { id: '2', type: 'function', function: { name: 'get_weather', arguments: { city: 'Rome' } } },
    ],
  },
  { role: 'tool', tool_call_id: '1', content: 'sun' },
  { role: 'tool', tool_call_id: '2', content: 'rain' },
  { role: 'assistant', content: 'Sun in Paris.' },
];

describe('the chat template', () => {
  it('writes turns', () => {
    const messages = [
      { role: 'user', content: 'Hi {{ there }}' },
      { role: 'assistant', content: 'Hello' },
    ];
    expect(render({ messages })).toBe(
      '<|im_start|>user\nHi {{ there }}<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n',
    );
    expect(render({ messages: messages.slice(0, 1), add_generation_prompt: true })).toBe(
      '<|im_start|>user\nHi {{ there }}<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('lists tools in the system turn, with and without a system message', () => {
    const alone = render({ messages: talk.slice(1, 2), tools: [weather] });
    expect(alone).toMatch(/^<\|im_start\|>system\nThese functions/);
    const listed = /<tools>\n(.*)\n<\/tools>/.exec(alone)?.[1];
    expect(JSON.parse(listed ?? '')).toEqual(weather);
    expect(render({ messages: talk, tools: [weather] })).toMatch(
      /^<\|im_start\|>system\nBe kind\.\n\nThese functions/,
    );
  });

  it('writes calls and responses', () => {
    const text = render({ messages: talk, tools: [weather] });
    expect(text.slice(text.indexOf('<|im_start|>user'))).toBe(
      [
        '<|im_start|>user\nHow is Paris?<|im_end|>',
        '<|im_start|>assistant\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>',
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call><|im_end|>',
        '<|im_start|>tool\n<tool_response>\nsun\n</tool_response><|im_end|>',
        '<|im_start|>tool\n<tool_response>\nrain\n</tool_response><|im_end|>',
        '<|im_start|>assistant\nSun in Paris.<|im_end|>\n',
      ].join('\n'),
    );
  });

  it('renders a shorter conversation as a prefix of the longer one', () => {
    const whole = render({ messages: talk, tools: [weather] });
    for (let n = 1; n < talk.length; n++) {
      expect(whole.startsWith(render({ messages: talk.slice(0, n), tools: [weather] }))).toBe(true);
    }
  });
});
