import type { ToolForm } from './tool-form.ts';

/**
 * The form of Nous Hermes 2 Pro, Qwen 2.5 and 3, Granite 4 and others:
 * `<tool_call>\n{"name": ..., "arguments": {...}}\n</tool_call>`.
 */
export const HERMES: ToolForm = {
  name: 'hermes',
  open: '<tool_call>',
  close: '</tool_call>',
  bare: false,
  separators: /^\s*/,
  written: {
    beforeName: '<tool_call>\n{"name": ',
    beforeArguments: ', "arguments": ',
    end: '}\n</tool_call>',
  },
};

/** Other models put XML of their own between the same markers: Qwen3-Coder, GLM 4.5 and later, MiniMax. */
export function isHermes(template: string): boolean {
  const isXml = template.includes('<function=') || template.includes('arg_key');
  return template.includes(HERMES.open) && /"arguments\\?"/.test(template) && !isXml;
}
