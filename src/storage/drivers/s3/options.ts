import { type Static, Type } from 'typebox';
import { failure } from '../../../shared/errors.ts';

export const S3Options = Type.Object(
  {
    bucket: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$',
      description: 'The bucket, which must be there.',
    }),
    endpoint: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'The URL of a store that is not AWS, such as http://127.0.0.1:9000.',
        absent: 'AWS, in the region',
      }),
    ),
    region: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_-]{1,63}$',
        description: 'The region of the bucket; stores that have none take us-east-1, R2 takes auto.',
        absent: 'what AWS_REGION or the AWS profile says, else us-east-1',
      }),
    ),
    prefix: Type.String({
      pattern: '^([A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*/?)?$',
      maxLength: 500,
      default: 'tierkv',
      description:
        'The folder of the bucket that pages lie in. Everything in it that is named like a page is one.',
    }),
    force_path_style: Type.Optional(
      Type.Boolean({
        description: 'Whether the bucket stands in the path of a URL, not in the name of the host.',
        absent: 'true with an endpoint, false without one',
      }),
    ),
    access_key_id: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'The id of the access key.',
        absent: 'found as the AWS SDK does: environment, profile, web identity, container, instance',
      }),
    ),
    secret_access_key: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'The secret of the access key.',
        absent: 'found together with the id',
      }),
    ),
    session_token: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'The token that belongs to a temporary access key.',
        absent: 'none',
      }),
    ),
    max_connections: Type.Integer({
      minimum: 1,
      maximum: 512,
      default: 32,
      description:
        'Requests at a time, for reading and for writing each, every one on a connection of its own.',
    }),
  },
  { additionalProperties: false },
);
export type S3Options = Static<typeof S3Options>;

/** Throws `storage_config` for options that are good each by itself and not together. */
export function checkOptions(options: S3Options): void {
  const { access_key_id: id, secret_access_key: secret, session_token: token, endpoint } = options;
  if (id !== undefined && secret === undefined)
    throw refusal('secret_access_key', `${REQUIRED} access_key_id`);
  if (secret !== undefined && id === undefined)
    throw refusal('access_key_id', `${REQUIRED} secret_access_key`);
  if (token !== undefined && id === undefined) throw refusal('access_key_id', `${REQUIRED} session_token`);
  if (endpoint === undefined) return;
  const host = hostOf(endpoint);
  // What the SDK finds belongs to AWS, and says to another store who this machine is there.
  if (id === undefined && !OF_AWS.test(host)) throw refusal('access_key_id', `${REQUIRED} endpoint`);
}

const REQUIRED = 'is required with';
const OF_AWS = /\.amazonaws\.com(?:\.cn)?$/;

function hostOf(endpoint: string): string {
  const url = URL.parse(endpoint);
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw refusal('endpoint', 'must be a URL that begins with http:// or https://');
  if (url.username || url.password)
    throw refusal('endpoint', 'must not hold a key: set access_key_id and secret_access_key');
  if (url.search || url.hash) throw refusal('endpoint', 'must have nothing behind its path');
  return url.hostname;
}

function refusal(path: string, expected: string): Error {
  return failure('storage_config', { backend: 's3', path, expected });
}
