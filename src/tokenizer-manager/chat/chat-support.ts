import { readFile } from 'node:fs/promises';
import type { Vocabulary } from '../../engine/engine.ts';
import { failure } from '../../shared/errors.ts';
import { type ChatTemplate, compileChatTemplate } from './chat-template.ts';

/** A chat template with its source, from which the form of tool calls is recognised. */
export interface ChatSupport {
  template: ChatTemplate;
  source: string;
}

/**
 * The template of `--chat-template`, else of the model; undefined when there is neither.
 *
 * @throws `bad_option` when the file cannot be read, `template_failed` when it is no template
 */
export async function loadChatSupport(
  file: string | undefined,
  vocabulary: Vocabulary,
): Promise<ChatSupport | undefined> {
  const source = file === undefined ? vocabulary.chatTemplate : await readTemplate(file);
  if (source === undefined) return undefined;
  const template = compileChatTemplate(source, {
    bosToken: vocabulary.beginText,
    eosToken: vocabulary.endText,
  });
  return { template, source };
}

async function readTemplate(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw failure('bad_option', { reason: `--chat-template ${file} cannot be read (${code}).` }, { cause });
  }
}
