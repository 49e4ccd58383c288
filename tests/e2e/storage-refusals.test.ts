/** What is wrong with a backend is said when it is attached, and what is attached stays. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../storage/support/folders.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { fakeRedis } from '../support/services/fake-redis.ts';
import { startFakeS3 } from '../support/services/fake-s3.ts';
import { describeWith } from '../support/services/programs.ts';
import { REDIS_PACKAGES, REDIS_PROGRAMS, startRedis } from '../support/services/redis.ts';
import { freePorts } from '../support/services/service.ts';
import {
  attach,
  attachBody,
  call,
  errorOf,
  STORAGE,
  storageStatus,
  WITH_ADMIN_KEY,
} from '../support/storage-api.ts';

const SECRET = 'correct-horse-battery';
const TIMEOUT_S = 20;

let server: TestServer;
beforeAll(async () => {
  server = await startServer(WITH_ADMIN_KEY);
  const { status, text } = await attach(server, { path: await temporaryFolder() });
  expect(status, text).toBe(200);
});
afterAll(() => server?.kill());

async function refusal(backend: string, config: object): Promise<string> {
  const fields = { hicache_storage_backend: backend, switch: true, mode: 'live', timeout: TIMEOUT_S };
  const answer = await call(server, 'PUT', STORAGE, attachBody(config, fields));
  // Not 504: its own limits are within that of the operation.
  const { message } = errorOf(answer, 400);
  expect(message).not.toContain(SECRET);
  const { hicache_storage_backend, state, ranks } = await storageStatus(server);
  expect([hicache_storage_backend, state]).toEqual(['file', 'attached']);
  expect(JSON.stringify(ranks)).not.toContain(SECRET);
  expect(server.log).not.toContain(SECRET);
  return message;
}

const KEY = { access_key_id: 'tester', secret_access_key: SECRET };

test('an unreachable host', async () => {
  const [port] = await freePorts(1);
  expect(await refusal('redis', { host: '127.0.0.1', port })).toContain("check 'host' and 'port'");
  expect(await refusal('s3', { bucket: 'pages', endpoint: `http://127.0.0.1:${port}`, ...KEY })).toContain(
    "'endpoint'",
  );
  expect(await refusal('mooncake', { url: `http://127.0.0.1:${port}` })).toContain("'url'");
});

test('a host that accepts and never answers', async () => {
  const port = await fakeRedis(() => undefined);
  expect(await refusal('redis', { host: '127.0.0.1', port })).toContain("'host' and 'port'");
});

test('a version that is too old', async () => {
  const port = await fakeRedis(([name]) =>
    name === 'HELLO' ? '-ERR unknown command `HELLO`\r\n' : '$21\r\nredis_version:5.0.7\r\n\r\n',
  );
  expect(await refusal('redis', { port })).toContain('has version 5.0.7, and version 6 or later');
});

test('a missing bucket, a wrong key, and a store that may only be read', async () => {
  const fake = await startFakeS3();
  const config = { bucket: 'pages', endpoint: fake.endpoint, ...KEY };
  const answers = (status: number, code: string) => () => ({ kind: 'answer', status, code }) as const;
  try {
    fake.fault = answers(404, 'NoSuchBucket');
    expect(await refusal('s3', config)).toContain("check 'bucket'");
    fake.fault = answers(403, 'SignatureDoesNotMatch');
    expect(await refusal('s3', config)).toContain("check 'secret_access_key'");
    fake.fault = (kind) => (kind === 'PUT object' ? answers(403, 'AccessDenied')() : undefined);
    expect(await refusal('s3', config)).toMatch(/write: denied: .*PutObject/);
  } finally {
    await fake.stop();
  }
});

describeWith(REDIS_PROGRAMS, REDIS_PACKAGES, 'of a real Redis', () => {
  describe('it is refused', () => {
    test('a wrong password, and a user who may only read', async () => {
      const redis = await startRedis({
        args: ['--requirepass', 'the-right-one'],
        cliArgs: ['-a', 'the-right-one'],
      });
      const config = { port: redis.port, password: SECRET };
      expect(await refusal('redis', config)).toContain("check 'username' and 'password'");
      expect(await refusal('redis', { port: redis.port })).toContain("set 'password'");
      await redis.cli(
        'ACL',
        'SETUSER',
        'reader',
        'on',
        `>${SECRET}`,
        '~*',
        '+@read',
        '+hello',
        '+info',
        '+ping',
      );
      expect(await refusal('redis', { ...config, username: 'reader' })).toContain(
        'may not use the command set',
      );
    });
  });
});
