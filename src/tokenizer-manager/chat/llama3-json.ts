import type { ToolForm } from './tool-form.ts';

/**
 * The form of Llama 3.1 to 3.3: a message that is `{"name": ..., "parameters": {...}}`, or several of them with
 * a semicolon or a line feed between, at times after `<|python_tag|>`.
 */
export const LLAMA3_JSON: ToolForm = {
  name: 'llama3-json',
  open: '<|python_tag|>',
  close: undefined,
  bare: true,
  separators: /^[\s;]*/,
  written: { beforeName: '{"name": ', beforeArguments: ', "parameters": ', end: '}' },
};

export function isLlama3Json(template: string): boolean {
  const isLlama = template.includes(LLAMA3_JSON.open) || template.includes('ipython');
  return isLlama && /"parameters\\?"/.test(template);
}
