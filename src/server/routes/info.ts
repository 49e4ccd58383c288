import type { ServerContext } from '../context.ts';
import type { App } from '../typed-app.ts';

/** GET /model_info, /server_info and SGLang's older names for them */
export function registerInfo(app: App, context: ServerContext): void {
  const { model, manager } = context;
  const config = { auth: 'normal' } as const;
  for (const url of ['/model_info', '/get_model_info']) {
    app.get(url, { config, schema: { tags: ['SGLang'], summary: 'The model' } }, async () => ({
      model_path: context.modelPath,
      tokenizer_path: context.modelPath,
      is_generation: true,
      served_model_name: context.servedModel,
      context_length: context.limits.contextLength,
      ...model,
    }));
  }
  for (const url of ['/server_info', '/get_server_info']) {
    app.get(
      url,
      { config, schema: { tags: ['SGLang'], summary: 'Settings in effect and the state of every rank' } },
      async () => ({
        version: context.version,
        served_model_name: context.servedModel,
        started_at: context.started,
        options: context.publicOptions(),
        limits: context.limits,
        in_flight: manager.inFlight,
        ranks: await manager.fleet.inspect(),
      }),
    );
  }
}
