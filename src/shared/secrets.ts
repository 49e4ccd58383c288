/** What a secret is replaced by wherever it would be seen. */
const HIDDEN = '***';

/** Options whose texts are secrets, whatever the driver: a driver of the operator's own brings names that nobody knows here. */
const SECRET_NAME =
  /(?:pass(?:word|wd|phrase)?|secret|token|credential|private|auth(?:orization)?|sasl|signature|api[_-]?key|access[_-]?key|encryption[_-]?key|account[_-]?key|^key)s?$|secret|password/i;
const URL_PASSWORD = /^([a-z][a-z0-9+.-]*:\/\/[^/@:\s]*:)([^/@\s]+)@/i;
const URL_SECRET_PARAMETER =
  /([?&](?:[^=&#]*(?:password|secret|token|signature|key|credential)[^=&#]*)=)([^&#]+)/gi;

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
  const shown = redact(config, '');
  return secretsIn(config, '').length === 0 ? text : JSON.stringify(shown);
}

/** Every secret text of a configuration, for {@link scrub}. */
export function secretsOf(config: unknown): string[] {
  return secretsIn(config, '');
}

/** A text without the secrets in it, as in the message of a client library. */
export function scrub(text: string, secrets: readonly string[]): string {
  let shown = text;
  for (const secret of secrets) {
    if (secret.length < SHORTEST_SECRET) continue;
    for (const form of new Set([secret, encodeURIComponent(secret)])) shown = shown.replaceAll(form, HIDDEN);
  }
  return shown;
}

function redact(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value.map((item) => redact(item, name));
  if (isObject(value)) {
    if (isReference(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, redact(inner, key)]));
  }
  if (typeof value !== 'string') return isSecretName(name) && typeof value === 'number' ? HIDDEN : value;
  if (isSecretName(name)) return HIDDEN;
  return value.replace(URL_PASSWORD, `$1${HIDDEN}@`).replace(URL_SECRET_PARAMETER, `$1${HIDDEN}`);
}

function secretsIn(value: unknown, name: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => secretsIn(item, name));
  if (isObject(value)) {
    if (isReference(value)) return [];
    return Object.entries(value).flatMap(([key, inner]) => secretsIn(inner, key));
  }
  if (isSecretName(name) && (typeof value === 'string' || typeof value === 'number')) return [String(value)];
  if (typeof value !== 'string') return [];
  const password = URL_PASSWORD.exec(value)?.[2];
  const parameters = [...value.matchAll(URL_SECRET_PARAMETER)].map((match) => match[2] ?? '');
  return [...(password === undefined ? [] : [password, decoded(password)]), ...parameters];
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
  return SECRET_NAME.test(name);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
