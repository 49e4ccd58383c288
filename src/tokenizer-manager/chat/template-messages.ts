import { failure } from '../../shared/errors.ts';

/** One message of a request; fields that are not named here go to the template as they are. */
export interface ChatMessage {
  readonly role: string;
  readonly content?: string | readonly unknown[] | null | undefined;
  readonly tool_calls?: readonly unknown[] | null | undefined;
  readonly [field: string]: unknown;
}

/**
 * Messages in the shape that templates expect: `content` a string, the arguments of tool calls objects.
 * @throws `unsupported_parameter` for content that is no text
 */
export function templateMessages(messages: readonly ChatMessage[]): Record<string, unknown>[] {
  return messages.map((message, index) => {
    const { tool_calls: calls, ...rest } = message;
    const content = textOf(message.content, `messages[${index}].content`);
    // Some templates ask whether the key is there at all.
    if (!calls || calls.length === 0) return { ...rest, content };
    return { ...rest, content, tool_calls: calls.map(withParsedArguments) };
  });
}

/** Parts are joined by line feeds, as llama.cpp's own server does it. */
function textOf(content: ChatMessage['content'], param: string): string {
  if (typeof content === 'string') return content;
  if (content === null || content === undefined) return '';
  return content.map((part, index) => textOfPart(part, `${param}[${index}]`)).join('\n');
}

function textOfPart(part: unknown, param: string): string {
  if (isRecord(part) && part.type === 'text' && typeof part.text === 'string') return part.text;
  throw failure('unsupported_parameter', { name: param, hint: 'only parts of type text are.' }, { param });
}

/** OpenAI sends arguments as JSON text; templates write them out with `tojson`, which would quote the text again. */
function withParsedArguments(call: unknown): unknown {
  if (!isRecord(call) || !isRecord(call.function)) return call;
  const { arguments: text } = call.function;
  if (typeof text !== 'string') return call;
  try {
    return { ...call, function: { ...call.function, arguments: JSON.parse(text) as unknown } };
  } catch {
    return call;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
