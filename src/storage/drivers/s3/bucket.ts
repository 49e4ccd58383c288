import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { unlessAborted } from '../../concurrency.ts';
import type { Failed, Listing, Read, ReadResult, Write, WriteResult } from '../../driver.ts';
import { isKey } from '../../keys.ts';
import { failed } from '../../results.ts';
import type { Connections } from './connections.ts';
import { download } from './download.ts';
import type { S3Options } from './options.ts';
import type { Sdk } from './s3-client.ts';
import { kindOf, S3Error } from './s3-errors.ts';

const NEEDS = {
  get: 's3:GetObject',
  put: 's3:PutObject',
  delete: 's3:DeleteObject',
  list: 's3:ListBucket',
} as const;

/** The requests to one bucket, each for itself. What fails throws an {@link S3Error}, or the error of a connection. */
export class Bucket {
  readonly #sdk: Sdk;
  readonly #client: S3Client;
  readonly #connections: Connections;
  readonly #name: string;
  readonly #prefix: string;
  /** Until the store says that it has none. One that ignores them overwrites a value by the same value. */
  #hasConditions = true;

  constructor(sdk: Sdk, client: S3Client, connections: Connections, { bucket, prefix }: S3Options) {
    this.#sdk = sdk;
    this.#client = client;
    this.#connections = connections;
    this.#name = bucket;
    this.#prefix = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
  }

  /** Throws when the bucket cannot be listed; false when what answers is no store. */
  async answers(signal: AbortSignal): Promise<boolean> {
    // A list and not a look at the bucket, whose refusal would have no body to say why.
    const { Name } = await this.#list({ MaxKeys: 1 }, signal);
    return Name !== undefined;
  }

  async has(key: string, signal: AbortSignal): Promise<boolean> {
    const command = new this.#sdk.HeadObjectCommand(this.#place(key));
    try {
      await this.#ask(NEEDS.get, signal, (options) => this.#client.send(command, options));
      return true;
    } catch (error) {
      // The bucket may be gone as well: there is no body that says so.
      if (error instanceof S3Error && error.status === 404) return false;
      throw error;
    }
  }

  async get(read: Read, signal: AbortSignal): Promise<ReadResult> {
    const command = new this.#sdk.GetObjectCommand(this.#place(read.key));
    try {
      const { Body, ContentLength } = await this.#ask(NEEDS.get, signal, (options) =>
        this.#client.send(command, options),
      );
      return await download(Body as Readable, ContentLength, read);
    } catch (error) {
      if (error instanceof S3Error && error.code === 'NoSuchKey') return { status: 'miss' };
      throw error;
    }
  }

  async put({ key, parts }: Write, signal: AbortSignal): Promise<WriteResult> {
    // One buffer of its own: a request that was aborted may still hold it for a moment, when the caller's are reused.
    const place = { ...this.#place(key), Body: Buffer.concat(parts) };
    const send = (input: typeof place & { IfNoneMatch?: string }) =>
      this.#ask(NEEDS.put, signal, (options) =>
        this.#client.send(new this.#sdk.PutObjectCommand(input), options),
      );
    if (this.#hasConditions) {
      try {
        await send({ ...place, IfNoneMatch: '*' });
        return { status: 'stored' };
      } catch (error) {
        if (!(error instanceof S3Error)) throw error;
        if (error.status === 412) return { status: 'exists' };
        if (error.status === 501 || error.code === 'NotImplemented') this.#hasConditions = false;
        // 409 says that the key is being changed, and nothing of whether it is there.
        else if (error.status !== 409) throw error;
      }
    }
    await send(place);
    return { status: 'stored' };
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    const command = new this.#sdk.DeleteObjectCommand(this.#place(key));
    await this.#ask(NEEDS.delete, signal, (options) => this.#client.send(command, options));
  }

  /** At most 1000 keys; the failures by key. */
  async deleteAll(keys: readonly string[], signal: AbortSignal): Promise<Map<string, Failed>> {
    const command = new this.#sdk.DeleteObjectsCommand({
      Bucket: this.#name,
      Delete: { Objects: keys.map((key) => ({ Key: this.#prefix + key })), Quiet: true },
    });
    const { Errors = [] } = await this.#ask(NEEDS.delete, signal, (options) =>
      this.#client.send(command, options),
    );
    return new Map(
      Errors.map(({ Key = '', Code = 'Error', Message = '' }) => [
        Key.slice(this.#prefix.length),
        failed(kindOf(Code), `${Code}: ${Message}`),
      ]),
    );
  }

  async list(cursor: string | undefined, signal: AbortSignal): Promise<Listing> {
    const portion = await this.#list(cursor === undefined ? {} : { ContinuationToken: cursor }, signal);
    const next = portion.IsTruncated ? portion.NextContinuationToken : undefined;
    if (portion.IsTruncated && next === undefined)
      throw new Error('The store gave a part of the list, and not where it goes on.');
    const objects = (portion.Contents ?? [])
      .map(({ Key = '', Size = 0 }) => ({ key: Key.slice(this.#prefix.length), bytes: Size }))
      .filter(({ key }) => isKey(key));
    return { keys: objects.map(({ key }) => key), bytes: objects.map(({ bytes }) => bytes), next };
  }

  async #list(input: { MaxKeys?: number; ContinuationToken?: string }, signal: AbortSignal) {
    const command = new this.#sdk.ListObjectsV2Command({
      Bucket: this.#name,
      Prefix: this.#prefix,
      ...input,
    });
    return await this.#ask(NEEDS.list, signal, (options) => this.#client.send(command, options));
  }

  /** Ends what is still asked. */
  close(): void {
    this.#client.destroy();
    this.#connections.close();
  }

  #place(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#name, Key: this.#prefix + key };
  }

  /** @param needs the permission of AWS for it */
  async #ask<T>(needs: string, signal: AbortSignal, request: Request<T>, isAgain = false): Promise<T> {
    try {
      signal.throwIfAborted();
      // The SDK does not hear the signal before it has a key, for which it may have to ask.
      return await unlessAborted(request({ abortSignal: signal }), signal);
    } catch (error) {
      const problem = new S3Error(error, needs);
      if (isAgain || signal.aborted || !isLost(problem)) throw problem;
    }
    // A store ends connections that nobody uses, and one of those was used before that was seen.
    this.#connections.dropIdle();
    return await this.#ask(needs, signal, request, true);
  }
}

type Request<T> = (options: { abortSignal: AbortSignal }) => Promise<T>;

/** Before an answer came: what was asked for may be asked for again, and then with a new connection. */
function isLost({ status, code }: S3Error): boolean {
  return status === undefined && ['ECONNRESET', 'EPIPE'].includes(code);
}
