import { describe, expect, it } from 'vitest';
import { AnswerStream } from '../../src/bench/answer-stream.ts';

/** Reads events, each at its moment. */
function read(...events: [number, unknown][]): AnswerStream {
  const answer = new AnswerStream();
  for (const [at, event] of events)
    answer.push(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`, at);
  return answer;
}

const choice = (text: string, token_ids?: number[], finish_reason: string | null = null) => {
  return { choices: [{ index: 0, text, token_ids, finish_reason }] };
};

describe('a streamed answer', () => {
  it('of OpenAI has its text, times and usage', () => {
    const usage = { prompt_tokens: 9, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 4 } };
    const answer = read(
      [10, choice(' a')],
      [14, choice(' b', undefined, 'length')],
      [15, { choices: [], usage }],
      [15, '[DONE]'],
    );
    expect(answer).toMatchObject({
      text: ' a b',
      ids: [],
      arrivals: [10, 14],
      gaps: [4],
      usage,
      complete: true,
    });
  });

  it('shares the time of an event among its tokens', () => {
    const answer = read([10, choice('a', [1])], [16, choice('bcd', [2, 3, 4])]);
    expect(answer).toMatchObject({
      ids: [1, 2, 3, 4],
      arrivals: [10, 16, 16, 16],
      gaps: [2, 2, 2],
      complete: false,
    });
  });

  it('has a token without text, and no token in an event without either', () => {
    const answer = read([10, choice('')], [12, choice('', [7])], [13, choice('', [], 'length')]);
    expect(answer).toMatchObject({ ids: [7], arrivals: [12], complete: true });
  });

  it('of llama.cpp has a place for every token, told or not', () => {
    const event = (content: string, tokens: number[], tokens_predicted: number, more: object = {}) => {
      return { content, tokens, tokens_predicted, stop: false, ...more };
    };
    const timings = { prompt_n: 3, predicted_n: 5 };
    const answer = read(
      [10, event('a', [1], 1)],
      [14, event('\uFFFDb', [3], 3)],
      [16, event('c', [4], 4)],
      [18, event('', [], 5, { stop: true, timings })],
    );
    expect(answer).toMatchObject({
      ids: [1, undefined, 3, 4, undefined],
      arrivals: [10, 14, 14, 16, 18],
      gaps: [2, 2, 2, 2],
      timings,
      complete: true,
    });
  });

  it('may be cut anywhere on its way', () => {
    const answer = new AnswerStream();
    const whole = `data: ${JSON.stringify(choice(' ä', [5], 'stop'))}\r\n\r\n: a comment\n\ndata: [DONE]\n\n`;
    for (const character of whole) answer.push(character, 1);
    expect(answer).toMatchObject({ text: ' ä', ids: [5], complete: true, problem: undefined });
  });

  it.each([
    ['nonsense', 'an event of another form'],
    [{ choices: [{ text: 3 }] }, 'an event of another form'],
    [{ error: { message: 'the queue is full' } }, 'an error: the queue is full'],
    [{ error: 'short' }, 'an error: short'],
  ])('says what is wrong with it: %j', (event, problem) => {
    expect(read([1, event]).problem).toBe(problem);
  });
});
