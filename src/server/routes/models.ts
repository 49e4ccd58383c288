import { Type } from 'typebox';
import { failure } from '../../shared/errors.ts';
import type { ServerContext } from '../context.ts';
import type { App } from '../typed-app.ts';

/** GET /v1/models and /v1/models/{id} */
export function registerModels(app: App, context: ServerContext): void {
  const entry = {
    id: context.servedModel,
    object: 'model',
    created: context.started,
    owned_by: 'tierkv',
    root: context.servedModel,
    max_model_len: context.limits.contextLength,
  };
  const config = { auth: 'normal' } as const;
  app.get('/v1/models', { config, schema: { tags: ['OpenAI'], summary: 'The served model' } }, async () => ({
    object: 'list',
    data: [entry],
  }));
  // A served name may hold slashes, as in `org/model`.
  app.get(
    '/v1/models/*',
    {
      config,
      schema: { tags: ['OpenAI'], summary: 'One model', params: Type.Object({ '*': Type.String() }) },
    },
    async (request) => {
      checkModel(request.params['*'], context);
      return entry;
    },
  );
}

/** @throws `model_not_found` when the client names another model than the served one */
export function checkModel(model: string | undefined, { servedModel }: ServerContext): void {
  if (model !== undefined && model !== servedModel)
    throw failure('model_not_found', { model }, { param: 'model' });
}
