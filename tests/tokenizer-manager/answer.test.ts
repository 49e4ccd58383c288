import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { failure } from '../../src/shared/errors.ts';
import { Answer, type AnswerOptions, type AnswerPart } from '../../src/tokenizer-manager/answer.ts';
import { vocabularyOf } from '../support/word-vocabulary.ts';

const FIRST_OF_FOUR = Buffer.from('👩').subarray(0, 2);
const LAST_OF_FOUR = Buffer.from('👩').subarray(2);
const PIECES = ['Hello', ' wor', 'ld', '.', 'ST', 'OP', ' more', FIRST_OF_FOUR, LAST_OF_FOUR, '\n', 'S'];
const [HELLO, WOR, LD, DOT, ST, OP, MORE, FIRST, LAST, LINE, S, END] = PIECES.keys()
  .toArray()
  .concat(PIECES.length);
const VOCABULARY = vocabularyOf(PIECES);

function start(options: Partial<AnswerOptions> = {}) {
  const onEnd = vi.fn();
  const answer = new Answer({
    vocabulary: VOCABULARY,
    stopStrings: [],
    minTokens: 0,
    special: false,
    keepStop: false,
    onEnd,
    ...options,
  });
  const say = (...tokens: (number | undefined)[]) => {
    for (const token of tokens) answer.token(token!, null);
  };
  const stop = (token = END!) => {
    answer.finished({ type: 'finished', id: 1, reason: 'stop', stop: { token, logprobs: null } });
  };
  const length = () => answer.finished({ type: 'finished', id: 1, reason: 'length' });
  return { answer, onEnd, say, stop, length };
}

async function read(answer: Answer): Promise<AnswerPart[]> {
  const parts: AnswerPart[] = [];
  for await (const part of answer.parts()) parts.push(part);
  return parts;
}

async function whole(answer: Answer) {
  const parts = await read(answer);
  const last = parts.at(-1);
  return {
    text: parts.map(({ text }) => text).join(''),
    tokens: parts.flatMap(({ tokens }) => tokens.map(({ id }) => id)),
    ...last?.finish,
  };
}

describe('an answer', () => {
  it('is text and tokens, and how it ended', async () => {
    const { answer, say, stop } = start();
    answer.started({ device: 3, host: 2, storage: 1 });
    say(HELLO, WOR, LD);
    stop();
    expect(await whole(answer)).toEqual({
      text: 'Hello world',
      tokens: [HELLO, WOR, LD, END],
      reason: 'stop',
      matched: END,
      completionTokens: 4,
      cached: { device: 3, host: 2, storage: 1 },
    });
  });

  it('comes part by part to a reader that keeps up', async () => {
    const { answer, say, length } = start();
    const parts = answer.parts();
    const texts: string[] = [];
    for (const token of [HELLO, WOR, LD]) {
      const part = parts.next();
      say(token);
      texts.push((await part).value.text);
    }
    expect(texts).toEqual(['Hello', ' wor', 'ld']);
    const last = parts.next();
    length();
    expect((await last).value).toMatchObject({ text: '', tokens: [], finish: { reason: 'length' } });
    expect(await parts.next()).toEqual({ value: undefined, done: true });
  });

  it('comes in larger parts to a slow reader', async () => {
    const { answer, say, length } = start();
    const parts = answer.parts();
    say(HELLO);
    await parts.next();
    say(WOR, LD);
    const { value } = await parts.next();
    expect(value).toMatchObject({ text: ' world', tokens: [{ id: WOR }, { id: LD }], finish: undefined });
    say(DOT);
    length();
    expect((await parts.next()).value).toMatchObject({ text: '.', finish: { reason: 'length' } });
  });

  it('keeps the logprobs with their tokens', async () => {
    const { answer, length } = start();
    const logprobs = { logprob: -0.5, top: [] };
    answer.token(HELLO!, logprobs);
    answer.token(WOR!, null);
    length();
    const parts = await read(answer);
    expect(parts.flatMap(({ tokens }) => tokens)).toEqual([
      { id: HELLO, logprobs },
      { id: WOR, logprobs: null },
    ]);
  });

  it('waits for the rest of a character, and has U+FFFD when it does not come', async () => {
    const { answer, say, length } = start();
    const parts = answer.parts();
    say(FIRST);
    expect((await parts.next()).value).toMatchObject({ text: '', tokens: [{ id: FIRST }] });
    say(LAST, FIRST);
    expect((await parts.next()).value).toMatchObject({ text: '👩' });
    length();
    expect((await parts.next()).value).toMatchObject({ text: '\ufffd', finish: { reason: 'length' } });
  });

  it('is the same whoever reads it and when', async () => {
    const token = fc.constantFrom(HELLO, DOT, ST, OP, FIRST, LAST, S, LINE);
    const answered = fc.record({
      tokens: fc.array(token, { maxLength: 15 }),
      stopStrings: fc.uniqueArray(fc.constantFrom('STOP', 'S\n', '.ST', '👩', 'o.'), { maxLength: 3 }),
      keepStop: fc.boolean(),
      minTokens: fc.nat(4),
    });
    await fc.assert(
      fc.asyncProperty(answered, fc.array(fc.boolean()), async ({ tokens, ...options }, pauses) => {
        const eager = start(options);
        const reading = whole(eager.answer);
        for (const [i, token] of tokens.entries()) {
          eager.say(token);
          if (pauses[i]) await Promise.resolve();
        }
        eager.length();
        const lazy = start(options);
        lazy.say(...tokens);
        lazy.length();
        expect(await whole(lazy.answer)).toEqual(await reading);
        expect(lazy.onEnd).toHaveBeenCalledOnce();
      }),
      { numRuns: 300 },
    );
  });
});

describe('a stop string', () => {
  it('ends the answer across tokens, and nothing of it gets out', async () => {
    const { answer, say, length, onEnd } = start({ stopStrings: ['STOP'] });
    const parts = answer.parts();
    say(HELLO, ST);
    expect((await parts.next()).value.text).toBe('Hello');
    say(OP);
    expect(onEnd).toHaveBeenCalledOnce();
    say(MORE);
    length();
    expect((await parts.next()).value).toEqual({
      text: '',
      tokens: [{ id: OP, logprobs: null }],
      finish: {
        reason: 'stop',
        matched: 'STOP',
        completionTokens: 3,
        cached: { device: 0, host: 0, storage: 0 },
      },
    });
    expect(onEnd).toHaveBeenCalledOnce();
  });

  it('stays in the text where it is to be kept, and nothing after it does', async () => {
    const { answer, say } = start({ stopStrings: ['o wor'], keepStop: true });
    say(HELLO, WOR, LD);
    expect(await whole(answer)).toMatchObject({ text: 'Hello wor', matched: 'o wor', completionTokens: 2 });
  });

  it('that has only begun is text in the end', async () => {
    const { answer, say, length } = start({ stopStrings: ['STOP', '.\n'] });
    say(HELLO, ST);
    length();
    expect(await whole(answer)).toMatchObject({ text: 'HelloST', reason: 'length', matched: undefined });
    const stopped = start({ stopStrings: ['STOP'] });
    stopped.say(HELLO, S);
    stopped.stop();
    expect(await whole(stopped.answer)).toMatchObject({ text: 'HelloS', matched: END });
  });

  it('that has only begun is text when the answer is aborted', async () => {
    const { answer, say } = start({ stopStrings: ['STOP'] });
    say(HELLO, ST);
    answer.abort();
    expect(await whole(answer)).toMatchObject({ text: 'HelloST', reason: 'abort', completionTokens: 2 });
  });

  it('is not looked for before the smallest length', async () => {
    const { answer, say } = start({ stopStrings: ['STOP'], minTokens: 4 });
    say(ST, OP, HELLO, ST, OP);
    expect(await whole(answer)).toMatchObject({ text: 'STOPHello', completionTokens: 5 });
  });

  it('can be completed by the stop token that is kept', async () => {
    const { answer, say, stop } = start({ stopStrings: ['STOP'], keepStop: true });
    say(HELLO, ST);
    stop(OP);
    expect(await whole(answer)).toMatchObject({ text: 'HelloSTOP', matched: 'STOP', completionTokens: 3 });
  });
});

describe('a stop token', () => {
  it('is in the text only where it is to be kept', async () => {
    for (const [keepStop, text] of [
      [true, 'Hello.'],
      [false, 'Hello'],
    ] as const) {
      const { answer, say, stop } = start({ keepStop });
      say(HELLO);
      stop(DOT);
      expect(await whole(answer)).toMatchObject({ text, matched: DOT, tokens: [HELLO, DOT] });
    }
  });

  it('that is a control token is written out only where those are', async () => {
    const { answer, stop } = start({ keepStop: true, special: true });
    stop(END);
    expect(await whole(answer)).toMatchObject({ text: '<end>' });
  });
});

describe('an end', () => {
  it('comes once, whoever tells it and how often', async () => {
    const endings: ((started: ReturnType<typeof start>) => void)[] = [
      ({ stop }) => stop(),
      ({ length }) => length(),
      ({ answer }) => answer.abort(),
      ({ answer }) => answer.failed(failure('rank_lost', { rank: 0 })),
    ];
    for (const first of endings) {
      for (const second of endings) {
        const started = start();
        started.say(HELLO);
        first(started);
        const { finish } = started.answer;
        second(started);
        started.say(MORE);
        await started.answer.ended;
        expect(started.answer.finish).toBe(finish);
        expect(started.onEnd).toHaveBeenCalledOnce();
        const result = await whole(started.answer).catch((error: unknown) => error);
        if (finish) expect(result).toMatchObject({ text: 'Hello', reason: finish.reason });
        else expect(result).toMatchObject({ code: 'rank_lost' });
      }
    }
  });

  it('by a failure is thrown to the reader, also to one that waits', async () => {
    const { answer, say } = start();
    const parts = answer.parts();
    say(HELLO);
    await parts.next();
    const waiting = parts.next();
    answer.failed(failure('rank_lost', { rank: 0 }));
    await expect(waiting).rejects.toMatchObject({ code: 'rank_lost' });
    expect(answer.finish).toBeUndefined();
  });

  it('by an abort keeps what there was', async () => {
    const { answer, say, onEnd } = start();
    say(HELLO, WOR);
    answer.abort();
    say(LD);
    expect(await whole(answer)).toMatchObject({ text: 'Hello wor', reason: 'abort', completionTokens: 2 });
    expect(onEnd).toHaveBeenCalledOnce();
  });

  it('is known in `onEnd`', () => {
    const { answer, length, onEnd } = start();
    onEnd.mockImplementation(() => expect(answer.finish?.reason).toBe('length'));
    length();
    expect(onEnd).toHaveReturnedTimes(1);
  });
});
