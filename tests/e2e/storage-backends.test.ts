import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWithDirectIo } from '../storage/support/direct-io.ts';
import { EMBEDDED, hf3fsBackend, redisBackend, swiftBackend, type TestBackend } from '../support/backends.ts';
import type { TestServer } from '../support/server.ts';
import { describeWith } from '../support/services/programs.ts';
import { REDIS_PACKAGES, REDIS_PROGRAMS, startRedis, startRedisCluster } from '../support/services/redis.ts';
import { SWIFT_PACKAGES, SWIFT_PROGRAMS } from '../support/services/swift.ts';
import { attachBody, call, errorOf, flush, STORAGE, storageStatus } from '../support/storage-api.ts';
import {
  askLong,
  attachBackend,
  expectFromStorage,
  expectStored,
  startStoringServer,
} from '../support/stored-prompt.ts';

describe('one server', () => {
  let server: TestServer;
  let seed = 0;
  beforeAll(async () => {
    server = await startStoringServer();
  });
  afterAll(() => server?.kill());

  /** Also that nothing of the backend stays when it is detached: the next one is attached to the same server. */
  async function comesBack(backend: TestBackend): Promise<void> {
    try {
      await expectStored(server, backend, seed++);
    } finally {
      await backend.stop();
    }
  }

  test.each(Object.keys(EMBEDDED))('%s: a prompt comes back from the storage', async (name) => {
    await comesBack(await EMBEDDED[name]!());
  });

  describeWithDirectIo('with direct I/O', () => {
    test('hf3fs: a prompt comes back from the storage', async () => {
      await comesBack(await hf3fsBackend());
    });
    test('file: a prompt comes back from the storage', async () => {
      const { backend, config, stop } = await EMBEDDED.file!();
      await comesBack({ backend, config: { ...config, direct_io: true }, stop });
    });
  });

  describeWith(REDIS_PROGRAMS, REDIS_PACKAGES, 'with Redis', () => {
    test('redis: a prompt comes back from the storage', async () => {
      await comesBack(redisBackend([await startRedis()]));
    });
    test('a Redis cluster: a prompt comes back from the storage', async () => {
      await comesBack(redisBackend(await startRedisCluster()));
    });
  });

  describeWith(SWIFT_PROGRAMS, SWIFT_PACKAGES, 'with S3', () => {
    test('s3: a prompt comes back from the storage', async () => {
      await comesBack(await swiftBackend());
    });
  });

  test('what SGLang knows and cannot be reached from here is refused, and nothing is changed', async () => {
    for (const name of ['eic', 'aibrix', 'nixl', 'simm', 'mori']) {
      const body = attachBody({}, { hicache_storage_backend: name });
      const { message } = errorOf(await call(server, 'PUT', STORAGE, body), 400);
      expect(message).toMatch(new RegExp(`'${name}' is not available: .*'\\w+'`));
    }
    expect((await storageStatus(server)).hicache_storage_backend).toBeNull();
  });
});

describe('two servers of two ranks', () => {
  /** What one server computed, both ranks of the other one find. */
  async function findEachOthersPages(backend: TestBackend): Promise<void> {
    const servers = await Promise.all([0, 1].map(() => startStoringServer('--dp-size', '2')));
    try {
      for (const server of servers) await attachBackend(server, backend);
      for (const [i, writer] of servers.entries()) {
        const seeds = [0, 1, 2, 3].map((n) => 20 + 10 * i + n);
        const computed = await Promise.all(seeds.map((seed) => askLong(writer, seed)));
        expect(computed.map(({ cached }) => cached.storage)).toEqual(seeds.map(() => 0));
        // Ends when everything is written.
        await flush(writer);
        const found = await Promise.all(seeds.map((seed) => askLong(servers[1 - i]!, seed)));
        for (const [n, answer] of found.entries()) expectFromStorage(answer, computed[n]!, backend.backend);
      }
    } finally {
      await Promise.all(servers.map((server) => server.kill()));
      await backend.stop();
    }
  }

  describeWith(REDIS_PROGRAMS, REDIS_PACKAGES, 'with Redis', () => {
    test('hit each other’s pages in a Redis cluster', async () => {
      await findEachOthersPages(redisBackend(await startRedisCluster()));
    });
  });

  describeWith(SWIFT_PROGRAMS, SWIFT_PACKAGES, 'with S3', () => {
    test('hit each other’s pages in an S3 bucket', async () => {
      await findEachOthersPages(await swiftBackend());
    });
  });
});
