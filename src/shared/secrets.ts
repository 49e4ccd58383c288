/** What a secret is replaced by wherever it would be seen. */
const HIDDEN = '***';

/** Options whose texts are secrets, whatever the driver: a driver of the operator's own brings names that nobody knows here. */
const SECRET_NAME =
  /(?:pass(?:word|wd|phrase)?|pwd|secret|token|credential|private|auth(?:orization)?|sasl|signature|api[_-]?key|access[_-]?key|encryption[_-]?key|account[_-]?key|connection[_-]?string|(?:^|[_-])key)s?$|secret|password/i;
/** `prefetch_timeout_per_ki_token` is a number that SGLang's clients send. */
const RATE = /_per_\w*tokens?$/i;
/** Up to the last `@` of each URL of a text: a password that was not encoded may hold anything. */
const URL_PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^/@:\s]*:)((?:(?!:\/\/)\S)+)@/gi;
const URL_SECRET_PARAMETER =
  /([?&](?:[^=&#]*(?:password|secret|token|signature|key|credential)[^=&#]*)=)([^&#]+)/gi;

/** In JSON, what a colon stands behind is a key. */
const KEYS = /"(?:[^"\\]|\\.)*"(\s*:)?/g;

/** Shorter texts are in too many words to be replaced in them. */
const SHORTEST_SECRET = 4;

/**
 * The text of a configuration as it may be shown: the same text when it holds no secret, else the same JSON with its
 * secrets replaced. What is no JSON is hidden as a whole.
 */
export function redactConfig(text: string): string {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    return HIDDEN;
  }
  // Of a key that is there twice only the last value was read: the others may be secrets.
  const keys = [...text.matchAll(KEYS)].filter(([, colon]) => colon !== undefined).length;
  const harmless = keys === keysIn(config) && secretsIn(config, false).length === 0;
  return harmless ? text : JSON.stringify(redact(config, false));
}

/** Every secret text of a configuration, for {@link scrub}. */
export function secretsOf(config: unknown): string[] {
  return secretsIn(config, false);
}

/** A text without the secrets in it, as in the message of a client library. */
export function scrub(text: string, secrets: readonly string[]): string {
  const forms = secrets
    .filter(({ length }) => length >= SHORTEST_SECRET)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]);
  // The longest first: one may begin with another.
  const ordered = [...new Set(forms)].sort((a, b) => b.length - a.length);
  return ordered.reduce((shown, form) => shown.replaceAll(form, HIDDEN), text);
}

/** A value with every text in it scrubbed, such as a report. */
export function scrubAll<T>(value: T, secrets: readonly string[]): T;
export function scrubAll(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === 'string') return scrub(value, secrets);
  if (Array.isArray(value)) return value.map((item) => scrubAll(item, secrets));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, scrubAll(inner, secrets)]));
}

/** @param secret whether it stands below a name of secrets */
function redact(value: unknown, secret: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => redact(item, secret));
  if (isObject(value)) {
    if (isReference(value)) return value;
    const fields = Object.entries(value);
    return Object.fromEntries(
      fields.map(([key, inner]) => [key, redact(inner, secret || isSecretName(key))]),
    );
  }
  if (secret && (typeof value === 'string' || typeof value === 'number')) return HIDDEN;
  if (typeof value !== 'string') return value;
  return value.replace(URL_PASSWORD, `$1${HIDDEN}@`).replace(URL_SECRET_PARAMETER, `$1${HIDDEN}`);
}

function secretsIn(value: unknown, secret: boolean): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => secretsIn(item, secret));
  if (isObject(value)) {
    if (isReference(value)) return [];
    return Object.entries(value).flatMap(([key, inner]) => secretsIn(inner, secret || isSecretName(key)));
  }
  if (secret && (typeof value === 'string' || typeof value === 'number')) return [String(value)];
  if (typeof value !== 'string') return [];
  const passwords = [...value.matchAll(URL_PASSWORD)].map((match) => match[2] ?? '');
  const parameters = [...value.matchAll(URL_SECRET_PARAMETER)].map((match) => match[2] ?? '');
  return [...passwords, ...parameters].flatMap((text) => [...new Set([text, decoded(text)])]);
}

function keysIn(value: unknown): number {
  if (!isObject(value)) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce<number>((sum, inner) => sum + keysIn(inner), own);
}

/** As a client library shows it, which takes a URL apart. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `{"env": "NAME"}` names a secret and is none. */
export function isReference(value: object): value is { env: string } {
  return Object.keys(value).length === 1 && 'env' in value && typeof value.env === 'string';
}

function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name) && !RATE.test(name);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
