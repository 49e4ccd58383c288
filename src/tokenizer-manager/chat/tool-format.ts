import { HERMES, isHermes } from './hermes.ts';
import { isLlama3Json, LLAMA3_JSON } from './llama3-json.ts';
import type { ToolForm } from './tool-form.ts';

export type { ToolForm };

/** The form of tool calls that a chat template teaches; `undefined` if it is none that is known here. */
export function detectToolForm(template: string): ToolForm | undefined {
  if (isHermes(template)) return HERMES;
  return isLlama3Json(template) ? LLAMA3_JSON : undefined;
}
