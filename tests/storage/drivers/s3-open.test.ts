import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { type FakeS3, type S3Fault, startFakeS3 } from '../../support/services/fake-s3.ts';
import { describeWith } from '../../support/services/programs.ts';
import { freePorts } from '../../support/services/service.ts';
import { bytes, never, read, write } from '../support/calls.ts';
import { temporaryFolder } from '../support/folders.ts';

const KEY = { access_key_id: 'the-key-id', secret_access_key: 'the-secret-key' };

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const end of ends.splice(0).reverse()) await end();
});

function s3(options: object): StorageDriver {
  const driver = createDriver('s3', { bucket: 'pages', ...options });
  ends.push(() => driver.close());
  return driver;
}

async function fakeS3(fault?: S3Fault): Promise<FakeS3> {
  const fake = await startFakeS3();
  fake.fault = () => fault;
  ends.push(() => fake.stop());
  return fake;
}

async function reasonOf(driver: StorageDriver): Promise<string> {
  const error: unknown = await driver.open(never).then(
    () => new Error('it opened'),
    (thrown) => thrown,
  );
  expect(error).toMatchObject({ code: 'storage_failed' });
  const { message } = error as Error;
  expect(message).not.toContain(KEY.secret_access_key);
  return message;
}

describe('options are refused with the name of what is wrong:', () => {
  test.each([
    [{}, 'bucket'],
    [{ bucket: '' }, 'bucket'],
    [{ bucket: 'a/b' }, 'bucket'],
    [{ endpoint: 'http://127.0.0.1' }, 'access_key_id'],
    [{ access_key_id: 'x' }, 'secret_access_key'],
    [{ secret_access_key: 'x' }, 'access_key_id'],
    [{ session_token: 'x' }, 'access_key_id'],
    [{ endpoint: '127.0.0.1:9000', ...KEY }, 'endpoint'],
    [{ endpoint: 'ftp://127.0.0.1', ...KEY }, 'endpoint'],
    [{ endpoint: 'http://me:hidden@127.0.0.1', ...KEY }, 'endpoint'],
    [{ endpoint: 'http://127.0.0.1/?a=b', ...KEY }, 'endpoint'],
    [{ region: 'not a region' }, 'region'],
    [{ prefix: '/tierkv' }, 'prefix'],
    [{ prefix: 'a//b' }, 'prefix'],
    [{ prefix: '../b' }, 'prefix'],
    [{ max_connections: 0 }, 'max_connections'],
    [{ force_path_style: 'yes' }, 'force_path_style'],
    [{ conditional_puts: true }, 'conditional_puts'],
  ])('%o', (options, option) => {
    const config = 'bucket' in options || option === 'bucket' ? options : { bucket: 'pages', ...options };
    let message = '';
    try {
      createDriver('s3', config);
    } catch (error) {
      expect(error).toMatchObject({ code: 'storage_config' });
      ({ message } = error as Error);
    }
    expect(message).toContain(option);
    expect(message).not.toContain('hidden');
    expect(message).not.toContain(KEY.secret_access_key);
  });

  test('none of these', () => {
    const good = [
      {},
      { endpoint: 'https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com' },
      { endpoint: 'https://example.org/storage/v1/s3', ...KEY, session_token: 'x' },
      { prefix: '' },
      { prefix: 'a/b.c/' },
    ];
    for (const options of good) expect(createDriver('s3', { bucket: 'pages', ...options }).name).toBe('s3');
  });
});

describe('it does not open, and the reason names what to change:', () => {
  const error = (status: number, code?: string, headers: Record<string, string> = {}): S3Fault => ({
    kind: 'answer',
    status,
    headers,
    ...(code === undefined ? { body: '' } : { code }),
  });
  const page = (status: number): S3Fault => ({
    kind: 'answer',
    status,
    body: '<html><body>Hello</body></html>',
    headers: { 'content-type': 'text/html' },
  });
  const wrongRegion: S3Fault = {
    ...error(400),
    body: '<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message><Region>eu-west-3</Region></Error>',
  } as S3Fault;

  test.each<[string, S3Fault, string]>([
    ['no such bucket', error(404, 'NoSuchBucket'), "check 'bucket'"],
    ['404 without a word', error(404), "check 'bucket' and 'endpoint'"],
    ['an unknown key', error(403, 'InvalidAccessKeyId'), "check 'access_key_id'"],
    ['a wrong secret', error(403, 'SignatureDoesNotMatch'), "check 'secret_access_key'"],
    ['an old token', error(400, 'ExpiredToken'), "check 'session_token'"],
    [
      'no permission',
      error(403, 'AccessDenied'),
      "check 'access_key_id', which needs s3:ListBucket on pages",
    ],
    ['403 without a word', error(403), "check 'access_key_id'"],
    ['a wrong clock', error(403, 'RequestTimeTooSkewed'), 'clock'],
    [
      'a redirect',
      error(301, 'PermanentRedirect', { 'x-amz-bucket-region': 'eu-west-2' }),
      "in the region eu-west-2: set 'region'",
    ],
    [
      'a redirect without a word',
      error(301, undefined, { location: 'http://127.0.0.1:1/' }),
      "check 'region'",
    ],
    ['a wrong region', wrongRegion, "in the region eu-west-3: set 'region'"],
    [
      'what web servers say to plain HTTP',
      page(400),
      "check 'endpoint', also whether it begins with http or https",
    ],
    ['a web page', page(200), "answers, but not as S3 does: check 'endpoint'"],
    ['a web page that was not found', page(404), "'endpoint'"],
    ['a broken gateway', page(502), "answers, but not as S3 does: check 'endpoint' (HTTP 502)"],
    ['a store that is busy', error(503, 'SlowDown'), 'SlowDown, HTTP 503'],
    ['bytes that are no HTTP', { kind: 'garbage' }, "check 'endpoint'"],
    ['a connection that ends', { kind: 'reset' }, "check 'endpoint'"],
    ['no answer', { kind: 'hang' }, "no answer within 5 s: check 'endpoint'"],
    ['half an answer', { kind: 'stall', bytes: 0 }, "no answer within 5 s: check 'endpoint'"],
  ])('%s', async (_name, fault, reason) => {
    const { endpoint, connections } = await fakeS3(fault);
    const driver = s3({ endpoint, ...KEY });
    expect(await reasonOf(driver)).toContain(reason);
    // Also without a close.
    await vi.waitFor(async () => expect(await connections()).toBe(0));
  });

  test('nobody listens', async () => {
    const [port] = await freePorts(1);
    expect(await reasonOf(s3({ endpoint: `http://127.0.0.1:${port}`, ...KEY }))).toContain(
      `http://127.0.0.1:${port} refuses connections: check 'endpoint'`,
    );
  });

  test('no such host', async () => {
    const endpoint = 'http://store.invalid:9000';
    expect(await reasonOf(s3({ endpoint, ...KEY }))).toContain(
      "the host of http://store.invalid:9000 was not found: check 'endpoint'",
    );
    expect(await reasonOf(s3({ endpoint, force_path_style: false, ...KEY }))).toContain('force_path_style');
  });

  test('https to a port without TLS', async () => {
    const { port } = await fakeS3();
    expect(await reasonOf(s3({ endpoint: `https://127.0.0.1:${port}`, ...KEY }))).toContain(
      "does not speak TLS: check 'endpoint'",
    );
  });

  test('no key, where nothing that the SDK asks has one', async () => {
    await withoutAwsSurroundings();
    expect(await reasonOf(s3({}))).toContain("set 'access_key_id' and 'secret_access_key'");
  });

  test('no key, where what the SDK asks never answers', async () => {
    await withoutAwsSurroundings();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    server.on('connection', (socket) => ends.push(async () => socket.destroy()));
    ends.push(async () => server.close());
    const { port } = server.address() as { port: number };
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `http://127.0.0.1:${port}/`);
    expect(await reasonOf(s3({}))).toContain("set 'access_key_id' and 'secret_access_key'");
  });
});

describeWith(['openssl'], 'openssl', 's3 over TLS', () => {
  async function certificate(): Promise<{ key: Buffer; cert: Buffer }> {
    const folder = await temporaryFolder();
    const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
    await promisify(execFile)('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=localhost'],
    ]);
    return { key: await readFile(key), cert: await readFile(cert) };
  }

  async function fakeWithTls(): Promise<FakeS3> {
    const fake = await startFakeS3({ tls: await certificate() });
    ends.push(() => fake.stop());
    return fake;
  }

  test('a certificate that nobody signed is refused', async () => {
    const reason = await reasonOf(s3({ endpoint: (await fakeWithTls()).endpoint, ...KEY }));
    expect(reason).toContain('is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)');
    expect(reason).toContain('NODE_EXTRA_CA_CERTS');
  });

  test('plain HTTP to a port with TLS is refused', async () => {
    const { port } = await fakeWithTls();
    const reason = await reasonOf(s3({ endpoint: `http://127.0.0.1:${port}`, ...KEY }));
    expect(reason).toContain("check 'endpoint', also whether it begins with http or https");
  });

  test('a value is protected by TLS alone, and comes back', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    const fake = await fakeWithTls();
    const driver = s3({ endpoint: fake.endpoint, ...KEY });
    await driver.open(never);
    await write(driver, 'a', bytes(1_000_000));
    expect((await read(driver, 'a', 1_000_000)).value?.equals(bytes(1_000_000))).toBe(true);
    const { headers } = fake.last('PUT object');
    expect(headers['x-amz-content-sha256']).toBe('UNSIGNED-PAYLOAD');
    expect(headers.authorization).toContain('x-amz-content-sha256');
    await driver.close();
    await vi.waitFor(async () => expect(await fake.connections()).toBe(0));
  });
});

test('a key and a region of the surroundings are used where the options have none', async () => {
  await withoutAwsSurroundings();
  const fake = await fakeS3();
  vi.stubEnv('AWS_ENDPOINT_URL_S3', fake.endpoint);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'surroundings-id');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'surroundings-secret');
  vi.stubEnv('AWS_REGION', 'eu-north-1');
  const driver = s3({});
  await driver.open(never);
  await write(driver, 'a', bytes(100));
  expect((await read(driver, 'a')).value).toEqual(bytes(100));
  expect([...fake.objects.keys()]).toEqual(['tierkv/a']);
  for (const { authorization } of fake.headers)
    expect(authorization).toMatch(/Credential=surroundings-id\/\d+\/eu-north-1\/s3\//);
});

test('a prefix of nothing is the bucket itself, and a slash at the end of one is no second', async () => {
  const fake = await fakeS3();
  for (const prefix of ['', 'a/b/', 'a/c']) {
    const driver = s3({ endpoint: fake.endpoint, prefix, ...KEY });
    await driver.open(never);
    await write(driver, 'key', bytes(1));
  }
  expect([...fake.objects.keys()]).toEqual(['key', 'a/b/key', 'a/c/key']);
});

test('to close it while it opens ends that, and leaves no connection', async () => {
  const fake = await fakeS3({ kind: 'hang' });
  const driver = s3({ endpoint: fake.endpoint, ...KEY });
  const opening = driver.open(never).catch((error: Error) => error.message);
  await vi.waitFor(() => expect(fake.requests).toHaveLength(1));
  await driver.close();
  expect(await opening).toContain('It was closed.');
  await vi.waitFor(async () => expect(await fake.connections()).toBe(0));
});

test('a signal ends the opening', async () => {
  const fake = await fakeS3({ kind: 'hang' });
  const controller = new AbortController();
  const driver = s3({ endpoint: fake.endpoint, ...KEY });
  const opening = driver.open(controller.signal).catch((error: Error) => error.message);
  await vi.waitFor(() => expect(fake.requests).toHaveLength(1));
  controller.abort();
  expect(await opening).toContain('The call was aborted.');
  await vi.waitFor(async () => expect(await fake.connections()).toBe(0));
});

/** As on a machine that is not AWS's and where nobody has used it. */
async function withoutAwsSurroundings(): Promise<void> {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
  const folder = await temporaryFolder();
  vi.stubEnv('AWS_CONFIG_FILE', path.join(folder, 'config'));
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', path.join(folder, 'credentials'));
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
}
