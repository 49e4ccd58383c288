import { afterEach } from 'vitest';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { type FakeS3, type S3Fault, startFakeS3 } from '../../support/services/fake-s3.ts';
import { never } from './calls.ts';

export const KEY = { access_key_id: 'the-key-id', secret_access_key: 'the-secret-key' };

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

export async function start(options: Parameters<typeof startFakeS3>[0] = {}): Promise<FakeS3> {
  const fake = await startFakeS3(options);
  ends.push(() => fake.stop());
  return fake;
}

export async function open({ endpoint }: FakeS3, options: object = {}): Promise<StorageDriver> {
  const driver = createDriver('s3', { bucket: 'pages', endpoint, ...KEY, ...options });
  ends.push(() => driver.close());
  await driver.open(never);
  return driver;
}

export function count(fake: FakeS3, kind: string): number {
  return fake.requests.filter((request) => request === kind).length;
}

export function aborting(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

export const error = (status: number, code: string): S3Fault => ({ kind: 'answer', status, code });
