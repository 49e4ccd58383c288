import { CallReader } from './call-reader.ts';
import { newToolCallId } from './tool-call-id.ts';
import type { ToolForm } from './tool-form.ts';

/** A piece of an answer: text, the start of a call, or the next piece of its arguments as JSON text. */
export type Delta =
  | { type: 'content'; text: string }
  | { type: 'tool_call_start'; index: number; id: string; name: string }
  | { type: 'tool_call_arguments'; index: number; text: string };

export interface ToolCallParser {
  /** Takes the next piece of the model's text. */
  push(text: string): Delta[];
  /** Ends the text: what was held back in case of a call comes out. */
  end(): Delta[];
}

/**
 * Finds tool calls in a text that arrives in pieces; how it is cut does not matter.
 *
 * Text that may become a call is held back. Once it cannot be one any more (broken JSON, an unknown name) it
 * comes out as content, markers and all. Arguments are passed on as they arrive: if their JSON breaks later on,
 * the call ends there, and the rest is content. Blanks and separators around calls are dropped.
 */
export function createToolCallParser(
  form: ToolForm,
  toolNames: Iterable<string>,
  newId: () => string = newToolCallId,
): ToolCallParser {
  return new Parser(form, new Set(toolNames), newId);
}

class Parser implements ToolCallParser {
  readonly #form: ToolForm;
  readonly #tools: ReadonlySet<string>;
  readonly #newId: () => string;
  /** `lead`: at the start of the message, or after a call. */
  #state: 'lead' | 'text' | 'call' = 'lead';
  /** What may be the way to a call: separators and markers. */
  #held = '';
  #reader: CallReader | undefined;
  #hasBegun = false;
  #calls = 0;
  #mayClose = false;
  #deltas: Delta[] = [];

  constructor(form: ToolForm, tools: ReadonlySet<string>, newId: () => string) {
    this.#form = form;
    this.#tools = tools;
    this.#newId = newId;
  }

  push(text: string): Delta[] {
    let rest = text;
    while (rest !== '') {
      if (this.#state === 'lead') rest = this.#lead(rest);
      else if (this.#state === 'text') rest = this.#text(rest);
      else rest = this.#call(rest);
    }
    return this.#taken();
  }

  end(): Delta[] {
    const endsAfterCall =
      this.#state === 'lead' && this.#calls > 0 && this.#withoutSeparators(this.#held) === '';
    const endsInCall = this.#state === 'call' && this.#hasBegun;
    if (!endsAfterCall && !endsInCall) {
      this.#content(this.#held);
      if (this.#state === 'call') this.#content(this.#reader!.text);
    }
    this.#held = '';
    return this.#taken();
  }

  /** Separators, then a marker, or a call where one may stand without. */
  #lead(input: string): string {
    const { open, close, bare } = this.#form;
    const text = this.#held + input;
    const body = this.#withoutSeparators(text);
    this.#held = text;
    if (body === '') return '';
    if (this.#mayClose && close !== undefined) {
      if (body.startsWith(close)) {
        this.#mayClose = false;
        this.#held = '';
        return body.slice(close.length);
      }
      if (close.startsWith(body)) return '';
    }
    if (body.startsWith(open)) return this.#startCall(text.length - body.length + open.length, true);
    if (open.startsWith(body)) return '';
    if (bare && body.startsWith('{')) return this.#startCall(text.length - body.length, false);
    this.#state = 'text';
    this.#held = '';
    return text;
  }

  /** Content up to a marker; blanks before the marker are dropped with it. */
  #text(input: string): string {
    const { open } = this.#form;
    const text = this.#held + input;
    const at = text.indexOf(open);
    this.#held = text;
    if (at >= 0) {
      const content = text.slice(0, at).trimEnd();
      this.#content(content);
      this.#held = text.slice(content.length);
      return this.#startCall(at + open.length - content.length, true);
    }
    const kept = text.slice(0, text.length - endThatBegins(open, text)).trimEnd();
    this.#content(kept);
    this.#held = text.slice(kept.length);
    return '';
  }

  /** The first `length` characters of what is held led to the call; the rest is the call. */
  #startCall(length: number, marked: boolean): string {
    const rest = this.#held.slice(length);
    this.#held = this.#held.slice(0, length);
    this.#state = 'call';
    this.#hasBegun = false;
    this.#reader = new CallReader(this.#tools, marked);
    return rest;
  }

  #call(input: string): string {
    const reader = this.#reader!;
    for (let at = 0; at < input.length; at++) {
      if (!reader.push(input[at]!)) {
        this.#passOn(reader);
        if (!this.#hasBegun) this.#content(this.#held + reader.text);
        this.#held = '';
        this.#state = 'text';
        return input.slice(at);
      }
      if (!reader.complete) continue;
      this.#passOn(reader);
      this.#held = '';
      this.#state = 'lead';
      this.#mayClose = true;
      return input.slice(at + 1);
    }
    this.#passOn(reader);
    return '';
  }

  #passOn(reader: CallReader): void {
    const name = reader.begun;
    if (name === undefined) return;
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#deltas.push({ type: 'tool_call_start', index: this.#calls++, id: this.#newId(), name });
    }
    const text = reader.takeArguments();
    if (text !== '') this.#deltas.push({ type: 'tool_call_arguments', index: this.#calls - 1, text });
  }

  #content(text: string): void {
    const last = this.#deltas.at(-1);
    if (text === '') return;
    if (last?.type === 'content') last.text += text;
    else this.#deltas.push({ type: 'content', text });
  }

  #withoutSeparators(text: string): string {
    return text.replace(this.#form.separators, '');
  }

  #taken(): Delta[] {
    const deltas = this.#deltas;
    this.#deltas = [];
    return deltas;
  }
}

/** The length of the longest end of `text` that is a beginning of `marker`. */
function endThatBegins(marker: string, text: string): number {
  for (let length = Math.min(marker.length - 1, text.length); length > 0; length--) {
    if (marker.startsWith(text.slice(text.length - length))) return length;
  }
  return 0;
}
