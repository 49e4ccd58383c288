import type { S3Client } from '@aws-sdk/client-s3';
import { unlessAborted } from '../../concurrency.ts';
import { Bucket } from './bucket.ts';
import { Connections } from './connections.ts';
import { NO_KEY, notS3, reasonOf, silence } from './open-reasons.ts';
import type { S3Options } from './options.ts';
import { makeClient } from './s3-client.ts';
import { S3Error } from './s3-errors.ts';

/** For a key, where one is looked for, and then for the store's first answer. */
const PATIENCE_MS = 5000;

/**
 * The bucket of some options, which has answered. Throws an error whose message says which option to change, and leaves
 * nothing then.
 */
export async function openBucket(options: S3Options, signal: AbortSignal): Promise<Bucket> {
  const sdk = await import('@aws-sdk/client-s3');
  signal.throwIfAborted();
  const connections = new Connections(2 * options.max_connections);
  const client = await makeClient(sdk, options, connections);
  const bucket = new Bucket(sdk, client, connections, options);
  try {
    await findKey(client, signal);
    await ask(bucket, options, signal);
    return bucket;
  } catch (error) {
    bucket.close();
    throw error;
  }
}

/** By itself: the SDK may ask addresses that do not answer here, for which no store is to blame. */
async function findKey(client: S3Client, signal: AbortSignal): Promise<void> {
  const within = soon(signal);
  try {
    await unlessAborted(client.config.credentials(), within);
  } catch (error) {
    signal.throwIfAborted();
    throw new Error(NO_KEY, { cause: error });
  }
}

async function ask(bucket: Bucket, options: S3Options, signal: AbortSignal): Promise<void> {
  const within = soon(signal);
  let isStore: boolean;
  try {
    isStore = await bucket.answers(within);
  } catch (error) {
    signal.throwIfAborted();
    const reason = within.aborted ? silence(options) : reasonOf(S3Error.of(error), options);
    throw new Error(reason, { cause: error });
  }
  if (!isStore) throw new Error(notS3(options));
}

function soon(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
}
