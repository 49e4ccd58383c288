/** How a family of models writes tool calls. */
export interface ToolForm {
  readonly name: 'hermes' | 'llama3-json';
  /** The text before a call. */
  readonly open: string;
  /** The text after a call, if the form has one; models forget it at times. */
  readonly close: string | undefined;
  /** Whether a message may also begin with the call itself, without the text before it. */
  readonly bare: boolean;
  /** What may stand between calls and before the first one: the beginning of a text that it takes, possibly none. */
  readonly separators: RegExp;
  /** The parts of the call that a grammar writes: before the name, between name and arguments, after them. */
  readonly written: { readonly beforeName: string; readonly beforeArguments: string; readonly end: string };
}
