import { Agent } from 'node:http';
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { createDriver } from '../../../src/storage/factory.ts';
import type { Target } from '../target.ts';
import { startFake } from './fake-process.ts';

const BUCKET = 'pages';
const CREDENTIALS = { accessKeyId: 'bench', secretAccessKey: 'bench' };
/** As many as two calls have pages. */
const CONNECTIONS = 32;

/** A small S3 in a process of its own, which does as little as it can; beside the driver the SDK's client. */
export async function s3Target(): Promise<Target> {
  const fake = await startFake('s3');
  const endpoint = fake.url;
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: CREDENTIALS,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { httpAgent: new Agent({ keepAlive: true, maxSockets: CONNECTIONS }) },
  });
  const driver = createDriver('s3', {
    bucket: BUCKET,
    endpoint,
    access_key_id: CREDENTIALS.accessKeyId,
    secret_access_key: CREDENTIALS.secretAccessKey,
    max_connections: CONNECTIONS,
  });
  await driver.open(new AbortController().signal);
  const place = (key: string) => ({ Bucket: BUCKET, Key: key });
  const read = async (key: string, into: Uint8Array) => {
    const { Body } = await client.send(new GetObjectCommand(place(key)));
    if (!Body) throw new Error(`${key} has no body`);
    into.set(await Body.transformToByteArray());
  };
  return {
    name: 's3',
    bareName: 'the AWS SDK with PutObject and GetObject',
    driver,
    bare: {
      async write(keys, values) {
        await Promise.all(
          keys.map((key, i) => client.send(new PutObjectCommand({ ...place(key), Body: values[i]! }))),
        );
      },
      async read(keys, into) {
        await Promise.all(keys.map((key, i) => read(key, into[i]!)));
      },
      async remove(keys) {
        await Promise.all(keys.map((key) => client.send(new DeleteObjectCommand(place(key)))));
      },
    },
    async stop() {
      await driver.close();
      client.destroy();
      fake.stop();
    },
  };
}
