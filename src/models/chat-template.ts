/**
 * The chat template of every generated model: ChatML turns, and tools as Hermes models take them (a `<tools>`
 * listing in the system turn, `<tool_call>` in the assistant's, `<tool_response>` in the tool's).
 *
 * Rendering messages 1 to n gives a prefix of rendering 1 to n + 1, so that a longer conversation finds the
 * shorter one's tokens in the cache. Contents are strings, or lists of parts of which the texts are joined.
 */
export const CHAT_TEMPLATE = `
{%- macro text(content) -%}
  {%- if content is string -%}
    {{- content -}}
  {%- elif content -%}
    {%- for part in content -%}
      {%- if part.type == 'text' -%}{{- part.text -}}{%- endif -%}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro -%}
{%- set leading = messages and messages[0].role == 'system' -%}
{%- if leading or tools -%}
  {{- '<|im_start|>system\\n' -}}
  {%- if leading -%}{{- text(messages[0].content) -}}{%- endif -%}
  {%- if tools -%}
    {%- if leading -%}{{- '\\n\\n' -}}{%- endif -%}
    {{- 'These functions may be called. Each line describes one, as JSON:\\n<tools>' -}}
    {%- for tool in tools -%}{{- '\\n' + (tool | tojson) -}}{%- endfor -%}
    {{- '\\n</tools>\\n\\nA call is a JSON object with the function\\'s name and its arguments, between these tags:\\n' -}}
    {{- '<tool_call>\\n{"name": "the name", "arguments": {}}\\n</tool_call>' -}}
  {%- endif -%}
  {{- '<|im_end|>\\n' -}}
{%- endif -%}
{%- for message in messages -%}
  {%- if not (loop.first and leading) -%}
    {{- '<|im_start|>' + message.role + '\\n' -}}
    {%- if message.role == 'tool' -%}
      {{- '<tool_response>\\n' -}}{{- text(message.content) -}}{{- '\\n</tool_response>' -}}
    {%- else -%}
      {{- text(message.content) -}}
    {%- endif -%}
    {%- if message.tool_calls -%}
      {%- for call in message.tool_calls -%}
        {%- set function = call.function or call -%}
        {%- if message.content or not loop.first -%}{{- '\\n' -}}{%- endif -%}
        {{- '<tool_call>\\n{"name": ' + (function.name | tojson) + ', "arguments": ' -}}
        {%- if function.arguments is string -%}
          {{- function.arguments -}}
        {%- else -%}
          {{- function.arguments | tojson -}}
        {%- endif -%}
        {{- '}\\n</tool_call>' -}}
      {%- endfor -%}
    {%- endif -%}
    {{- '<|im_end|>\\n' -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
`.trim();
