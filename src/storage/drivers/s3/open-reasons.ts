import type { S3Options } from './options.ts';
import type { S3Error } from './s3-errors.ts';

type Reason = (options: S3Options, error: S3Error) => string;

const NOT_HTTP: Reason = (options) =>
  `${placeOf(options)} does not answer as HTTP does: check 'endpoint', also whether it begins with http or https`;
const NOT_TLS: Reason = (options) =>
  `${placeOf(options)} does not speak TLS: check 'endpoint', which may have to begin with http://`;
const UNTRUSTED: Reason = (options, { code }) =>
  `the certificate of ${placeOf(options)} is not trusted (${code}): check 'endpoint', or name the authority's ` +
  'certificate in NODE_EXTRA_CA_CERTS';
const SILENT: Reason = (options) =>
  `${placeOf(options)} does not answer: check ${endpointOr('region', options)}`;
const NOT_FOUND: Reason = (options) =>
  `the host of ${placeOf(options)} was not found: check ${endpointOr('region', options)}${orPathStyle(options)}`;
const NO_BUCKET: Reason = ({ bucket }) => `there is no bucket ${bucket}: check 'bucket'`;
const OTHER_REGION: Reason = (_options, error) => {
  const region = regionIn(error);
  return region === undefined
    ? "the bucket is in another region: check 'region', and 'endpoint' where it is set"
    : `the bucket is in the region ${region}: set 'region'`;
};
const CLOCK: Reason = () => "this machine's clock differs too much from the store's: set the clock";
const TOKEN: Reason = () => "the session's token was refused: check 'session_token', which may have expired";
export const NO_KEY =
  "no access key was found: set 'access_key_id' and 'secret_access_key', or what the AWS SDK looks for";
const DENIED: Reason = ({ bucket }) =>
  `access was denied: check 'access_key_id', which needs s3:ListBucket on ${bucket}`;

/** By the code of S3, of the system, or of TLS. */
const REASONS = new Map<string, Reason>([
  ['ENOTFOUND', NOT_FOUND],
  ['EAI_AGAIN', NOT_FOUND],
  [
    'ECONNREFUSED',
    (options) => `${placeOf(options)} refuses connections: check ${endpointOr('region', options)}`,
  ],
  ['ETIMEDOUT', SILENT],
  ['EHOSTUNREACH', SILENT],
  ['ENETUNREACH', SILENT],
  ['TimeoutError', SILENT],
  ['ECONNRESET', NOT_HTTP],
  ['EPIPE', NOT_HTTP],
  ['EPROTO', NOT_TLS],
  ['NoSuchBucket', NO_BUCKET],
  ['InvalidBucketName', NO_BUCKET],
  ['InvalidAccessKeyId', () => "the access key is not known: check 'access_key_id'"],
  [
    'SignatureDoesNotMatch',
    () => "the access key was refused: check 'secret_access_key' and 'access_key_id'",
  ],
  ['ExpiredToken', TOKEN],
  ['InvalidToken', TOKEN],
  ['RequestTimeTooSkewed', CLOCK],
  ['RequestExpired', CLOCK],
  ['AuthorizationHeaderMalformed', OTHER_REGION],
  ['PermanentRedirect', OTHER_REGION],
  ['TemporaryRedirect', OTHER_REGION],
  ['IllegalLocationConstraintException', OTHER_REGION],
  ['CredentialsProviderError', () => NO_KEY],
]);

/** Why a store could not be opened, with the option to change. */
export function reasonOf(error: S3Error, options: S3Options): string {
  const { code, status = 0 } = error;
  const known = REASONS.get(code);
  if (known) return known(options, error);
  if (code.startsWith('HPE_')) return NOT_HTTP(options, error);
  if (code.startsWith('ERR_SSL_')) return NOT_TLS(options, error);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `${UNTRUSTED(options, error)}${orPathStyle(options)}`;
  if (/CERT|SIGNED|VERIFY/.test(code)) return UNTRUSTED(options, error);
  if (status >= 300 && status < 400) return OTHER_REGION(options, error);
  if (status === 401 || status === 403) return DENIED(options, error);
  if (status === 404) return `${NO_BUCKET(options, error)} and ${endpointOr('region', options)}`;
  // What web servers say to plain HTTP on a port of TLS, without a code of S3.
  if (status === 400 && code === '') return NOT_HTTP(options, error);
  if (status !== 0 && code === '') return `${notS3(options)} (HTTP ${status})`;
  return error.message;
}

export function silence(options: S3Options): string {
  return `no answer within 5 s: check ${endpointOr('region', options)}`;
}

export function notS3(options: S3Options): string {
  return `${placeOf(options)} answers, but not as S3 does: check 'endpoint'`;
}

function regionIn({ headers, cause, message }: S3Error): string | undefined {
  const told = headers['x-amz-bucket-region'] ?? (cause as { Region?: unknown }).Region;
  const region = typeof told === 'string' ? told : /expecting '([^']+)'/.exec(message)?.[1];
  return region !== undefined && /^[\w-]+$/.test(region) ? region : undefined;
}

/** Without what may be a secret in it, a path. */
function placeOf({ endpoint }: S3Options): string {
  return endpoint === undefined ? 'AWS' : new URL(endpoint).origin;
}

function endpointOr(other: string, { endpoint }: S3Options): string {
  return endpoint === undefined ? `'${other}'` : "'endpoint'";
}

function orPathStyle({ endpoint, force_path_style }: S3Options): string {
  return endpoint !== undefined && force_path_style === false ? ", or set 'force_path_style' to true" : '';
}
