import { createHash } from 'node:crypto';
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import type { Connections } from './connections.ts';
import type { S3Options } from './options.ts';

/** The SDK's module, which is loaded when it is needed. */
export type Sdk = typeof import('@aws-sdk/client-s3');

const CONNECT_MS = 3000;
/** Of a connection on which nothing moves. Deadlines of calls are shorter, and not this driver's. */
const SILENCE_MS = 30_000;
const REGION = 'us-east-1';

/** Asks once, and waits for nothing but the store. Sends nothing yet. */
export async function makeClient(sdk: Sdk, options: S3Options, connections: Connections): Promise<S3Client> {
  const { endpoint } = options;
  const region = options.region ?? (await regionOfSurroundings(sdk));
  const client = new sdk.S3Client({
    ...(endpoint !== undefined && { endpoint }),
    ...credentialsOf(options),
    region,
    forcePathStyle: options.force_path_style ?? endpoint !== undefined,
    maxAttempts: 1,
    // Checksums that nobody asked for come in trailers and headers that most stores do not know.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // With it, each larger write would have a connection that is not used again, and wait for an answer first.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      socketTimeout: SILENCE_MS,
      httpAgent: connections.plain,
      httpsAgent: connections.secure,
    },
  });
  changeRequests(client);
  return client;
}

function credentialsOf(options: S3Options): Pick<S3ClientConfig, 'credentials'> {
  const {
    access_key_id: accessKeyId,
    secret_access_key: secretAccessKey,
    session_token: sessionToken,
  } = options;
  if (accessKeyId === undefined || secretAccessKey === undefined) return {};
  return {
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
  };
}

async function regionOfSurroundings(sdk: Sdk): Promise<string> {
  const client = new sdk.S3Client({});
  try {
    return await client.config.region();
  } catch {
    return REGION;
  } finally {
    client.destroy();
  }
}

/** What the SDK would say otherwise, and has no option for. */
function changeRequests(client: S3Client): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const request = args.request as Request;
        if (commandName === 'DeleteObjectsCommand') takeMd5(request);
        // TLS protects what is sent; to hash it once more takes longer than all the rest.
        if (commandName === 'PutObjectCommand' && request.protocol === 'https:')
          request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
        return await next(args);
      },
    // After the SDK has made its checksum, before it signs.
    { step: 'build', priority: 'low', name: 'tierkv' },
  );
}

/** This request needs a checksum, and MD5 is known everywhere; the SDK's own is not, to MinIO and Swift for two. */
function takeMd5({ headers, body = '' }: Request): void {
  for (const name of Object.keys(headers)) if (/^x-amz-(?:sdk-)?checksum-/i.test(name)) delete headers[name];
  headers['content-md5'] = createHash('md5').update(body).digest('base64');
}

/** What the SDK has built by then. Its types leave it open. */
interface Request {
  protocol: string;
  headers: Record<string, string>;
  body?: string | Uint8Array;
}
