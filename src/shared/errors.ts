/**
 * Every error that a user can see: its stable code, HTTP status, OpenAI error type and message.
 * docs/errors.md documents each row; a test compares the two.
 */
const TABLE = {
  invalid_value: row(400, (p: { reason: string }) => p.reason),
  invalid_json: row(400, (p: { reason: string }) => `The body is not valid JSON: ${p.reason}`),
  invalid_encoding: row(400, () => 'The body is not valid UTF-8.'),
  unsupported_media_type: row(415, (p: { got: string }) => `Send application/json, not ${p.got}.`),
  body_too_large: row(413, (p: { limit: number }) => `The body is larger than ${p.limit} bytes.`),
  unsupported_parameter: row(
    400,
    (p: { name: string; hint: string }) => `'${p.name}' is not supported: ${p.hint}`,
  ),
  empty_prompt: row(400, () => 'The prompt is empty: at least one token is needed.'),
  token_out_of_range: row(
    400,
    (p: { token: number; vocabulary: number }) =>
      `Token id ${p.token} is outside of the vocabulary (0 to ${p.vocabulary - 1}).`,
  ),
  context_length_exceeded: row(
    400,
    (p: { limit: number; got: number }) =>
      `This server's context length is ${p.limit} tokens, but the prompt has ${p.got}, and one more is needed to answer.`,
  ),
  unsupported_schema: row(400, (p: { path: string; reason: string }) => `Schema at ${p.path}: ${p.reason}`),
  grammar_failed: row(400, (p: { reason: string }) => `The grammar could not be compiled: ${p.reason}`),
  template_failed: row(
    400,
    (p: { reason: string }) => `The chat template refused these messages: ${p.reason}`,
  ),
  template_missing: row(
    400,
    () => 'The model has no chat template. Give one with --chat-template, or use /v1/completions.',
  ),
  model_not_found: row(404, (p: { model: string }) => `The model '${p.model}' is not served here.`),
  route_not_found: row(404, (p: { method: string; path: string }) => `There is no ${p.method} ${p.path}.`),
  not_idle: row(400, (p: { blockers: string }) => `The server is not idle, blocked-by: ${p.blockers}`),
  admin_key_missing: row(
    400,
    () => 'This endpoint needs an admin API key: start the server with --admin-api-key.',
  ),
  hierarchical_cache_disabled: row(
    400,
    () =>
      'The hierarchical cache is not enabled: without an L2 there is nothing that a storage backend could serve.',
  ),
  operation_in_progress: row(
    409,
    (p: { kind: string; operation: number }) =>
      `Operation ${p.operation} (${p.kind}) is in progress. Try again when it has ended.`,
  ),
  operation_over: row(400, (p: { operation: number }) => `Operation ${p.operation} is over.`),
  scheduler_not_idle: row(
    400,
    (p: { kind: string; queued: number; running: number; blockers: string }) =>
      `Reject ${p.kind}: scheduler is not idle. #queue-req=${p.queued} #running-req=${p.running} blocked-by: ${p.blockers}`,
  ),
  rank_failed: row(400, (p: { rank: number; reason: string }) => `Rank ${p.rank} failed: ${p.reason}`),
  aborted: row(499, () => 'The request was aborted.'),
  queue_full: row(
    503,
    (p: { limit: number }) => `The waiting queue is full (${p.limit} requests). Try again in a moment.`,
  ),
  rank_lost: row(
    503,
    (p: { rank: number }) => `Rank ${p.rank} stopped while it held this request. Try again.`,
  ),
  no_rank: row(503, () => 'No rank is ready to serve. Try again in a moment.'),
  shutting_down: row(503, () => 'The server is shutting down.'),
  deadline_exceeded: row(
    504,
    (p: { what: string; seconds: number }) => `${p.what} took longer than ${Number(p.seconds.toFixed(3))} s.`,
  ),
  engine_failed: row(500, (p: { reason: string }) => `The engine failed: ${p.reason}`),
  internal: row(500, () => 'An internal error; the log has the details.'),
  storage_config: row(
    400,
    (p: { backend: string; path: string; expected: string }) =>
      `Storage backend '${p.backend}': ${p.path === '' ? 'its options' : `'${p.path}'`} ${p.expected}.`,
  ),
  storage_unknown_backend: row(400, (p: { reason: string }) => p.reason),
  storage_policy: row(
    400,
    (p: { what: string; given: string; known: string }) =>
      `There is no ${p.what} '${p.given}'; known are: ${p.known}.`,
  ),
  storage_attached: row(
    400,
    (p: { attached: string; asked: string }) =>
      `Storage backend '${p.attached}' is attached, so '${p.asked}' cannot be. Detach first, or send "switch": true.`,
  ),
  storage_config_differs: row(
    400,
    (p: { backend: string }) =>
      `Storage backend '${p.backend}' is attached with another configuration. Detach first, or send "switch": true.`,
  ),
  storage_not_attached: row(400, () => 'No storage backend is attached.'),
  storage_check_failed: row(
    400,
    (p: { backend: string; check: string; detail: string }) =>
      `Storage backend '${p.backend}' does not pass '${p.check}': ${p.detail}`,
  ),
  storage_not_cleared: row(
    400,
    (p: { removed: number; problem: string }) =>
      `Not all pages were removed (${p.removed} were): ${p.problem}`,
  ),
  storage_failed: row(
    400,
    (p: { backend: string; reason: string }) => `Storage backend '${p.backend}': ${p.reason}`,
  ),
  // At start, on the command line.
  bad_option: row(400, (p: { reason: string }) => p.reason),
  model_file: row(400, (p: { path: string; reason: string }) => `${p.path}: ${p.reason}`),
  model_unsupported: row(
    400,
    (p: { path: string; reason: string }) => `${p.path} cannot be served: ${p.reason}`,
  ),
  library_missing: row(400, (p: { reason: string }) => p.reason),
  library_mismatch: row(
    400,
    (p: { reason: string }) =>
      `The llama.cpp library is not the one that this version was written for: ${p.reason}`,
  ),
  port_in_use: row(400, (p: { host: string; port: number }) => `${p.host}:${p.port} is already in use.`),
  listen_failed: row(
    400,
    (p: { host: string; port: number; reason: string }) => `${p.host}:${p.port}: ${p.reason}`,
  ),
  // On the command line, of a server that is asked.
  server_unreachable: row(
    400,
    (p: { url: string; reason: string }) => `${p.url} cannot be reached: ${p.reason}.`,
  ),
  server_unknown: row(
    400,
    (p: { url: string; reason: string }) => `${p.url} does not answer as TierKV does: ${p.reason}.`,
  ),
  server_key_refused: row(400, (p: { url: string; reason: string }) => `${p.url} ${p.reason}`),
  server_refused: row(400, (p: { message: string; code: string }) => `${p.message} (${p.code})`),
} as const;

function row<P = void>(status: number, message: (params: P) => string) {
  return { status, message };
}

type Table = typeof TABLE;
export type ErrorCode = keyof Table;
export type ErrorParams<C extends ErrorCode> = Parameters<Table[C]['message']>[0];

/** OpenAI's `type` for a status; the official clients choose their exception class by the status alone. */
function typeOf(status: number): string {
  if (status === 404) return 'not_found_error';
  if (status === 503 || status === 504) return 'service_unavailable_error';
  return status >= 500 ? 'internal_server_error' : 'invalid_request_error';
}

interface Context {
  /** The request field at fault, as a path such as `messages[0].content`. */
  param?: string;
  cause?: unknown;
  /** What an operator wants to know besides; no secrets. */
  details?: Readonly<Record<string, unknown>>;
  /** What the message was made of. */
  params?: unknown;
}

/** An error from the table. Its message is safe to show to a client. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: ErrorCode;
  readonly status: number;
  readonly param: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly #params: unknown;

  constructor(code: ErrorCode, message: string, context: Context = {}) {
    super(message, { cause: context.cause });
    this.code = code;
    this.status = TABLE[code].status;
    this.param = context.param;
    this.details = context.details;
    this.#params = context.params;
  }

  /** What the message was made of, when it is the one of this code. */
  paramsOf<C extends ErrorCode>(code: C): ErrorParams<C> | undefined {
    return this.code === code ? (this.#params as ErrorParams<C>) : undefined;
  }

  get type(): string {
    return typeOf(this.status);
  }
}

/** Builds a {@link Failure} from its row of the table. */
export function failure<C extends ErrorCode>(code: C, params: ErrorParams<C>, context?: Context): Failure {
  const message = TABLE[code].message as (params: ErrorParams<C>) => string;
  return new Failure(code, message(params), { ...context, params });
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(TABLE, code);
}

/** Every code with its HTTP status, for the documentation and its test. */
export function errorTable(): { code: ErrorCode; status: number }[] {
  return (Object.keys(TABLE) as ErrorCode[]).map((code) => ({ code, status: TABLE[code].status }));
}

/** Anything thrown, as a Failure: unknown errors become `internal` and keep their cause for the log. */
export function toFailure(error: unknown): Failure {
  return error instanceof Failure ? error : failure('internal', undefined, { cause: error });
}
