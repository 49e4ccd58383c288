import { Environment, Interpreter, Template } from '@huggingface/jinja';
import { failure } from '../../shared/errors.ts';
import { declareGlobals } from './template-globals.ts';
import { type ChatMessage, templateMessages } from './template-messages.ts';

export interface RenderOptions {
  /** Functions in OpenAI's form, as the client sent them. */
  tools?: readonly unknown[] | undefined;
  /** Ends the text with the beginning of the assistant's answer. */
  addGenerationPrompt: boolean;
  /** More variables for the template, such as `enable_thinking`. They cannot replace the others. */
  extra?: Readonly<Record<string, unknown>> | undefined;
}

interface SpecialTokens {
  bosToken: string;
  eosToken: string;
}

/** A compiled template; it keeps no state between renderings. */
export interface ChatTemplate {
  /**
   * The prompt for a conversation.
   * @throws `template_failed` if the template refuses it, `unsupported_parameter` for content that is no text
   */
  render(messages: readonly ChatMessage[], options: RenderOptions): string;
}

/**
 * Compiles a Jinja chat template as Hugging Face's `apply_chat_template` would run it.
 * @throws `template_failed` if it is no valid template
 */
export function compileChatTemplate(source: string, { bosToken, eosToken }: SpecialTokens): ChatTemplate {
  const program = attempt(() => new Template(source).parsed);
  return {
    render(messages, { tools, addGenerationPrompt, extra }) {
      const variables = new Map<string, unknown>(Object.entries(extra ?? {}));
      variables.set('messages', templateMessages(messages));
      // Templates ask whether there are tools with `is not none` or for their truth, never for their number.
      variables.set('tools', tools && tools.length > 0 ? tools : null);
      variables.set('add_generation_prompt', addGenerationPrompt);
      variables.set('bos_token', bosToken);
      variables.set('eos_token', eosToken);
      return attempt(() => {
        const environment = new Environment();
        declareGlobals(environment);
        for (const [name, value] of variables) environment.set(name, value);
        return String(new Interpreter(environment).run(program).value);
      });
    },
  };
}

function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const reason = error instanceof RangeError ? 'it is nested too deeply' : messageOf(error);
    throw failure('template_failed', { reason }, { cause: error });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
