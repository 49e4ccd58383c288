import { type Static, Type } from 'typebox';
import { failure } from '../shared/errors.ts';
import { isReference } from '../shared/secrets.ts';
import { byteSize, bytesOf, validConfig } from './config.ts';
import { HAS_ZSTD } from './layers/compress/packed-value.ts';
import { type KeySource, parseKey, WHAT_A_KEY_IS } from './layers/encrypt/key-ring.ts';
import type { LayerSettings } from './stack.ts';

const strict = { additionalProperties: false } as const;

const BreakerOptions = Type.Object(
  {
    failures: Type.Integer({
      description: 'Failed calls in a row that open it.',
      minimum: 1,
      default: 5,
    }),
    error_rate: Type.Number({
      description: 'Share of the calls in a window that open it when they fail, from 10 calls on.',
      exclusiveMinimum: 0,
      maximum: 1,
      default: 0.5,
    }),
    window: Type.Number({ description: 'Seconds of that window.', exclusiveMinimum: 0, default: 30 }),
    backoff: Type.Number({
      description: 'Seconds until the store is asked again, at most; twice as long after each failure.',
      exclusiveMinimum: 0,
      default: 1,
    }),
    max_backoff: Type.Number({
      description: 'Seconds that this does not exceed.',
      exclusiveMinimum: 0,
      default: 60,
    }),
  },
  {
    ...strict,
    description: 'When a store that fails is left alone; false is by hand only.',
    default: {},
  },
);

const CompressOptions = Type.Object(
  {
    level: Type.Integer({
      description: 'Of zstd: higher is smaller and slower.',
      minimum: 1,
      maximum: 19,
      default: 1,
    }),
  },
  {
    ...strict,
    description: 'Compresses pages, those that it makes smaller by 5 %; true takes the defaults.',
    absent: 'pages are stored as they are',
  },
);

const EncryptOptions = Type.Object(
  {
    key: Type.Optional(
      Type.String({
        description:
          'The key that pages are encrypted with, as {"env": "NAME"}: 32 bytes in hexadecimal or base64.',
        absent: 'the key of key_file',
      }),
    ),
    key_file: Type.Optional(
      Type.String({
        description: 'A file that holds it, with no rights for everybody.',
        minLength: 1,
        absent: 'the key of key',
      }),
    ),
    old_keys: Type.Array(Type.String(), {
      description: 'Keys of which pages are still read, each as {"env": "NAME"}.',
      default: [],
    }),
    old_key_files: Type.Array(Type.String({ minLength: 1 }), {
      description: 'Files that hold such keys.',
      default: [],
    }),
  },
  { ...strict, description: 'Encrypts pages with AES-256-GCM.', absent: 'pages are stored as they are' },
);

/** Options that every backend has beside its own. */
export const LayerOptions = Type.Object(
  {
    breaker: BreakerOptions,
    compress: Type.Optional(CompressOptions),
    encrypt: Type.Optional(EncryptOptions),
    quota: Type.Optional(
      byteSize({
        description: 'Bytes of the served model’s pages, as this server counts them.',
        absent: 'the store’s own limit',
      }),
    ),
  },
  strict,
);

/** Backends that count by themselves, and their option for it. */
const OWN_QUOTA: Record<string, string> = { file: 'max_size' };

/** Takes the options of layers out of a configuration; the backend sees the rest. */
export function splitLayerOptions(config: Readonly<Record<string, unknown>>): {
  layers: Record<string, unknown>;
  own: Record<string, unknown>;
} {
  const entries = Object.entries(config);
  const isOfLayer = ([name]: [string, unknown]) => Object.hasOwn(LayerOptions.properties, name);
  return {
    layers: Object.fromEntries(entries.filter(isOfLayer)),
    own: Object.fromEntries(entries.filter((entry) => !isOfLayer(entry))),
  };
}

/**
 * Refuses keys that stand in the configuration itself: it is sent, shown and kept, which a key must not be.
 *
 * @param given not resolved yet
 */
export function refuseLiteralKeys(backend: string, given: Readonly<Record<string, unknown>>): void {
  const { encrypt } = given;
  if (typeof encrypt !== 'object' || encrypt === null) return;
  const { key, old_keys } = encrypt as { key?: unknown; old_keys?: unknown };
  const all: [string, unknown][] = [
    ['encrypt.key', key],
    ...(Array.isArray(old_keys) ? old_keys : []).map((old, i): [string, unknown] => [
      `encrypt.old_keys.${i}`,
      old,
    ]),
  ];
  for (const [path, value] of all) {
    if (value === undefined || (typeof value === 'object' && value !== null && isReference(value))) continue;
    const expected = 'must be {"env": "NAME"}: a key does not stand in a configuration';
    throw failure('storage_config', { backend, path, expected });
  }
}

/**
 * What the options of layers mean. Throws `storage_config`, never with a value.
 *
 * @param given resolved, without the backend's own options
 */
export function layerSettings(backend: string, given: Readonly<Record<string, unknown>>): LayerSettings {
  const { breaker, compress, encrypt, ...rest } = given;
  const wrong = (path: string, expected: string) => failure('storage_config', { backend, path, expected });
  const asked = {
    ...rest,
    ...(breaker === undefined || typeof breaker === 'boolean' ? {} : { breaker }),
    ...(compress === undefined || compress === false ? {} : { compress: compress === true ? {} : compress }),
    ...(encrypt === undefined || encrypt === false ? {} : { encrypt }),
  };
  const options = validConfig(backend, LayerOptions, asked);
  if (options.compress && !HAS_ZSTD)
    throw wrong('compress', 'needs zstd, which Node.js has from version 22.15 on');
  const bytes = options.quota === undefined ? undefined : bytesOf(options.quota);
  if (bytes === 0) throw wrong('quota', 'must be more than nothing');
  const own = Object.hasOwn(OWN_QUOTA, backend) ? OWN_QUOTA[backend] : undefined;
  if (bytes !== undefined && own)
    throw wrong('quota', `is not for this backend, which counts by itself: use '${own}'`);
  return {
    breaker: breaker === false ? undefined : options.breaker,
    compress: options.compress,
    encrypt: options.encrypt && keysOf(options.encrypt, wrong),
    quota: bytes,
  };
}

function keysOf(
  { key, key_file, old_keys, old_key_files }: Static<typeof EncryptOptions>,
  wrong: (path: string, expected: string) => Error,
): KeySource[] {
  if ((key === undefined) === (key_file === undefined))
    throw wrong('encrypt', "must have one of 'key' and 'key_file'");
  const sources: KeySource[] = [
    ...(key === undefined ? [] : [{ option: 'encrypt.key', text: key }]),
    ...(key_file === undefined ? [] : [{ option: 'encrypt.key_file', file: key_file }]),
    ...old_keys.map((text, i) => ({ option: `encrypt.old_keys.${i}`, text })),
    ...old_key_files.map((file, i) => ({ option: `encrypt.old_key_files.${i}`, file })),
  ];
  for (const source of sources)
    if ('text' in source && !parseKey(source.text)) throw wrong(source.option, WHAT_A_KEY_IS);
  return sources;
}
