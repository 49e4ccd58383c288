import { Type } from 'typebox';
import { failure } from '../../shared/errors.ts';
import type { ServerContext } from '../context.ts';
import type { App } from '../typed-app.ts';

const AbortBody = Type.Object({
  rid: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  abort_all: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
});

/** POST /abort_request: the aborted requests end with what they have and the reason `abort`. */
export function registerAbort(app: App, { manager }: ServerContext): void {
  app.post(
    '/abort_request',
    {
      config: { auth: 'normal' },
      schema: { tags: ['SGLang'], summary: 'End one request by its rid, or all', body: AbortBody },
    },
    async ({ body }) => {
      if (!body.abort_all && !body.rid) {
        throw failure('invalid_value', { reason: "Give 'rid', or 'abort_all': true." }, { param: 'rid' });
      }
      return { aborted: manager.abort(body.abort_all ? undefined : (body.rid ?? undefined)) };
    },
  );
}
