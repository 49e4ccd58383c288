import { createParser } from 'eventsource-parser';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';

/** Reads the events of a streamed answer, of OpenAI's completions and of llama.cpp's own. */

const Count = Type.Integer({ minimum: 0 });
const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]));

const Usage = Type.Object({
  prompt_tokens: Count,
  completion_tokens: Count,
  prompt_tokens_details: Nullable(
    Type.Object({
      cached_tokens: Nullable(Count),
      cached_tokens_details: Nullable(Type.Object({ device: Count, host: Count, storage: Count })),
    }),
  ),
});
export type Usage = Static<typeof Usage>;

/** Of llama.cpp: prompt tokens that it computed, and tokens that it answered. */
const Timings = Type.Object({ prompt_n: Count, predicted_n: Count });

const StreamEvent = Compile(
  Type.Object({
    choices: Type.Optional(
      Type.Array(
        Type.Object({
          text: Type.Optional(Type.String()),
          token_ids: Nullable(Type.Array(Count)),
          finish_reason: Nullable(Type.String()),
        }),
      ),
    ),
    usage: Nullable(Usage),
    content: Type.Optional(Type.String()),
    tokens: Type.Optional(Type.Array(Count)),
    stop: Type.Optional(Type.Boolean()),
    timings: Type.Optional(Timings),
    error: Type.Optional(Type.Unknown()),
  }),
);

/** What has come of an answer so far. */
export class AnswerStream {
  /** When each token came; an event of text whose tokens are not told is taken for one. */
  readonly arrivals: number[] = [];
  /** Milliseconds between two tokens; where an event brings several, its time is shared by them. */
  readonly gaps: number[] = [];
  text = '';
  /** As far as the server tells them. */
  readonly ids: number[] = [];
  usage: Usage | undefined;
  timings: Static<typeof Timings> | undefined;
  /** Whether the end has come that an answer must have. */
  complete = false;
  /** What is wrong with it. */
  problem: string | undefined;
  readonly #parser = createParser({ onEvent: ({ data }) => this.#event(data) });
  #now = 0;

  /** @param now when this part of the body came */
  push(chunk: string, now: number): void {
    this.#now = now;
    this.#parser.feed(chunk);
  }

  #event(data: string): void {
    if (data === '[DONE]') {
      this.complete = true;
      return;
    }
    const event = parsed(data);
    if (!StreamEvent.Check(event)) {
      this.problem ??= 'an event of another form';
      return;
    }
    if (event.error !== undefined) this.problem ??= `an error: ${messageOf(event.error)}`;
    const [choice] = event.choices ?? [];
    this.#tokens(choice?.text ?? event.content ?? '', choice?.token_ids ?? event.tokens ?? []);
    if (choice?.finish_reason || event.stop) this.complete = true;
    this.usage = event.usage ?? this.usage;
    this.timings = event.timings ?? this.timings;
  }

  #tokens(text: string, ids: readonly number[]): void {
    const count = ids.length > 0 ? ids.length : text === '' ? 0 : 1;
    const before = this.arrivals.at(-1);
    for (let i = 0; i < count; i++) {
      if (before !== undefined) this.gaps.push((this.#now - before) / count);
      this.arrivals.push(this.#now);
    }
    this.text += text;
    this.ids.push(...ids);
  }
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

const ErrorText = Compile(Type.Object({ message: Type.String() }));

/** What a server says is wrong, from the body of an error or a part of it. */
export function messageOf(error: unknown): string {
  if (ErrorText.Check(error)) return error.message;
  return typeof error === 'string' ? error : JSON.stringify(error);
}
