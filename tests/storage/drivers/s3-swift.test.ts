import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { describeWith } from '../../support/services/programs.ts';
import {
  parentForSwift,
  SWIFT_PACKAGES,
  SWIFT_PROGRAMS,
  type Swift,
  startSwift,
} from '../../support/services/swift.ts';
import { conformance } from '../conformance/conformance.ts';
import { bytes, has, listAll, never, outcome, pageKey, read, write } from '../support/calls.ts';
import { LAYERS } from '../support/layers.ts';

describeWith(SWIFT_PROGRAMS, SWIFT_PACKAGES, 's3 on OpenStack Swift', () => {
  let folder: string;
  let swift: Swift;
  let stores = 0;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(await parentForSwift(), 'tierkv-swift-'));
    swift = await startSwift(folder);
    const { endpoint, region, accessKeyId, secretAccessKey } = swift;
    const client = new S3Client({
      endpoint,
      region,
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });
    await client.send(new CreateBucketCommand({ Bucket: 'pages' }));
    client.destroy();
  });
  afterAll(async () => {
    await swift?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const make = (options: object = {}): StorageDriver =>
    createDriver('s3', {
      bucket: 'pages',
      endpoint: swift.endpoint,
      access_key_id: swift.accessKeyId,
      secret_access_key: swift.secretAccessKey,
      prefix: `store-${stores++}`,
      ...options,
    });

  // Swift needs tens of milliseconds for a request, and the longest cases hundreds or thousands of them.
  const slow = { limitMs: 180_000 };
  const once = 'It takes a minute, and the driver alone has passed it.';
  conformance('s3 on Swift', () => make(), slow);
  conformance('s3 on Swift in all layers', () => LAYERS['all layers']!(make()), {
    ...slow,
    skip: { list: once, clear: once, abort: once },
  });

  test.each([
    [{ bucket: 'other-pages' }, "there is no bucket other-pages: check 'bucket'"],
    [{ secret_access_key: 'not-this-one' }, "check 'secret_access_key' and 'access_key_id'"],
    [{ access_key_id: 'nobody' }, "check 'secret_access_key' and 'access_key_id'"],
    [{ region: 'eu-west-1' }, "the bucket is in the region us-east-1: set 'region'"],
  ])('with %o it does not open, and the reason names what to change', async (options, reason) => {
    const driver = make(options);
    const failure = await driver.open(never).catch((error: Error) => error);
    expect(failure).toMatchObject({ code: 'storage_failed' });
    expect((failure as Error).message).toContain(reason);
    expect((failure as Error).message).not.toContain('not-this-one');
    await driver.close();
  });

  test('a server that was killed and started again serves the same driver', async () => {
    const driver = make();
    await driver.open(never);
    await write(driver, 'a', bytes(1000));
    swift.proxy.signal('SIGKILL');
    await swift.proxy.stop();
    expect(outcome((await read(driver, 'a')).result)).toBe('unreachable');
    expect(outcome(await write(driver, 'b', bytes(10)))).toBe('unreachable');
    expect(outcome(await has(driver, 'a'))).toBe('unreachable');
    await expect(driver.list!(undefined, never)).rejects.toMatchObject({ code: 'storage_failed' });
    await swift.restartProxy();
    expect((await read(driver, 'a')).value).toEqual(bytes(1000));
    expect(await write(driver, 'b', bytes(10))).toEqual({ status: 'stored' });
    await driver.close();
  });

  test('another folder of the same bucket, and what it holds, is not there', async () => {
    const [one, two] = [make({ prefix: 'shared' }), make({ prefix: 'shared-not' })];
    for (const driver of [one, two]) await driver.open(never);
    await write(one, pageKey(1), bytes(100));
    expect(await has(two, pageKey(1))).toEqual({ status: 'miss' });
    expect(await listAll(two)).toEqual([]);
    expect(await listAll(one)).toEqual([pageKey(1)]);
    for (const driver of [one, two]) await driver.close();
  });
});
