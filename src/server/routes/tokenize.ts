import { Type } from 'typebox';
import { Detokenizer } from '../../tokenizer-manager/detokenizer.ts';
import type { ServerContext } from '../context.ts';
import { toTokens } from '../token-ids.ts';
import type { App } from '../typed-app.ts';
import { checkModel } from './models.ts';

const TokenizeBody = Type.Object({
  model: Type.Optional(Type.String()),
  prompt: Type.Union([Type.String(), Type.Array(Type.String())]),
  add_special_tokens: Type.Optional(Type.Boolean({ description: 'Default true.' })),
});

const DetokenizeBody = Type.Object({
  model: Type.Optional(Type.String()),
  tokens: Type.Union([
    Type.Array(Type.Integer({ minimum: 0 })),
    Type.Array(Type.Array(Type.Integer({ minimum: 0 }))),
  ]),
  skip_special_tokens: Type.Optional(Type.Boolean({ description: 'Default true.' })),
});

/** POST /tokenize and /detokenize (also under /v1) */
export function registerTokenize(app: App, context: ServerContext): void {
  const { vocabulary } = context.manager;
  const config = { auth: 'normal' } as const;
  for (const prefix of ['', '/v1']) {
    app.post(
      `${prefix}/tokenize`,
      { config, schema: { tags: ['Tokens'], summary: 'Text to token ids', body: TokenizeBody } },
      async ({ body }) => {
        checkModel(body.model, context);
        const encode = async (text: string) => [
          ...(await vocabulary.tokenize(text, body.add_special_tokens ?? true, true)),
        ];
        const tokens =
          typeof body.prompt === 'string'
            ? await encode(body.prompt)
            : await Promise.all(body.prompt.map(encode));
        const count = Array.isArray(tokens[0])
          ? tokens.map((one) => (one as number[]).length)
          : tokens.length;
        return { tokens, count, max_model_len: context.limits.contextLength };
      },
    );
    app.post(
      `${prefix}/detokenize`,
      { config, schema: { tags: ['Tokens'], summary: 'Token ids to text', body: DetokenizeBody } },
      async ({ body }) => {
        checkModel(body.model, context);
        const special = !(body.skip_special_tokens ?? true);
        const decode = (ids: readonly number[]) => {
          const detokenizer = new Detokenizer(vocabulary, special);
          let text = '';
          for (const token of toTokens(ids, vocabulary.size, 'tokens')) text += detokenizer.push(token);
          return text + detokenizer.end();
        };
        const text = isBatch(body.tokens) ? body.tokens.map(decode) : decode(body.tokens);
        return { text };
      },
    );
  }
}

function isBatch(tokens: number[] | number[][]): tokens is number[][] {
  return Array.isArray(tokens[0]);
}
