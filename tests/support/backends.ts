import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { temporaryFolder } from '../storage/support/folders.ts';
import { Fake3fsMetadata } from './services/fake-3fs-metadata.ts';
import { FakeMooncake } from './services/fake-mooncake.ts';
import type { RedisServer } from './services/redis.ts';
import { parentForSwift, startSwift } from './services/swift.ts';

/** A store that a server under test can attach. */
export interface TestBackend {
  backend: string;
  config: Record<string, unknown>;
  /** Ends what was started for it. */
  stop(): Promise<void>;
}

const nothing = async () => undefined;

/** The folder of the example of a plugin, which a server needs to be told of. */
export const PLUGINS = path.join(import.meta.dirname, '../../examples/storage-plugin');

/** Those that need no server of their own, each with an empty store. */
export const EMBEDDED: Record<string, () => Promise<TestBackend>> = {
  file: async () => ({ ...(await fileIn()), backend: 'file' }),
  lmdb: async () => ({ backend: 'lmdb', config: { path: await temporaryFolder() }, stop: nothing }),
  memory: async () => ({ backend: 'memory', config: {}, stop: nothing }),
  tiered: async () => {
    const { config } = await fileIn();
    const children = { fast: { backend: 'memory' }, slow: { backend: 'file', ...config } };
    return { backend: 'tiered', config: children, stop: nothing };
  },
  mirror: async () => {
    const [first, second] = [await fileIn(), await temporaryFolder()];
    const children = {
      first: { backend: 'file', ...first.config },
      second: { backend: 'lmdb', path: second },
    };
    return { backend: 'mirror', config: children, stop: nothing };
  },
  dynamic: async () => ({
    backend: 'dynamic',
    config: {
      backend_name: 'sqlite',
      module_path: 'sqlite-pages.mjs',
      class_name: 'SqlitePages',
      path: path.join(await temporaryFolder(), 'pages.db'),
    },
    stop: nothing,
  }),
  mooncake: async () => {
    const service = await FakeMooncake.start();
    return { backend: 'mooncake', config: { url: service.url }, stop: () => service.close() };
  },
  'file, encrypted and compressed': async () => {
    const { config } = await fileIn();
    const layers = { encrypt: { key: { env: 'TIERKV_TEST_PAGE_KEY' } }, compress: true };
    return { backend: 'file', config: { ...config, ...layers }, stop: nothing };
  },
};

/** For the ranks of a server, what {@link EMBEDDED} refers to. */
export const BACKEND_ENVIRONMENT = { TIERKV_TEST_PAGE_KEY: '0123456789abcdef'.repeat(4) };

async function fileIn() {
  return { config: { path: await temporaryFolder(), min_free_space: 0 }, stop: nothing };
}

/** Needs direct I/O in temporary folders. */
export async function hf3fsBackend(): Promise<TestBackend> {
  const service = new Fake3fsMetadata();
  const config = {
    file_path_prefix: path.join(await temporaryFolder(), 'pages'),
    file_size: '64MB',
    bytes_per_page: '128KiB',
    metadata_server_url: await service.start(),
  };
  return { backend: 'hf3fs', config, stop: () => service.stop() };
}

/** A server, or a cluster where there are several. Whoever started them stops them. */
export function redisBackend(servers: readonly RedisServer[]): TestBackend {
  const [first] = servers;
  const cluster = servers.map(({ port }) => `127.0.0.1:${port}`);
  const config = servers.length > 1 ? { cluster } : { host: '127.0.0.1', port: first?.port };
  return { backend: 'redis', config, stop: nothing };
}

/** An empty bucket of OpenStack Swift. */
export async function swiftBackend(): Promise<TestBackend> {
  const folder = await mkdtemp(path.join(await parentForSwift(), 'tierkv-swift-'));
  const { endpoint, region, accessKeyId, secretAccessKey, stop } = await startSwift(folder);
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
  await client.send(new CreateBucketCommand({ Bucket: 'pages' }));
  client.destroy();
  return {
    backend: 's3',
    config: {
      bucket: 'pages',
      endpoint,
      region,
      access_key_id: accessKeyId,
      secret_access_key: secretAccessKey,
    },
    async stop() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
