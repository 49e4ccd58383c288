import { open as openFile, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createDriver } from '../../../src/storage/factory.ts';
import { fakeServer } from '../../support/fake-server.ts';
import { Fake3fsMetadata } from '../../support/services/fake-3fs-metadata.ts';
import { conformance } from '../conformance/conformance.ts';
import { bytes, has, never, outcome, read, remove, write } from '../support/calls.ts';
import { describeWithDirectIo } from '../support/direct-io.ts';
import { temporaryFolder } from '../support/folders.ts';
import { LAYERS } from '../support/layers.ts';

const PLACE = 64 * 1024;
const service = new Fake3fsMetadata();
let url = '';
let ranks = 0;

beforeAll(async () => {
  url = await service.start();
});
afterEach(() => {
  service.trouble = async () => undefined;
  service.isLost = () => false;
});
afterAll(() => service.stop());

const prefixIn = async () => path.join(await temporaryFolder(), 'hicache');

/** A driver on a data file of its own, with places of 64 KiB. */
async function make(options: object = {}) {
  return createDriver('hf3fs', {
    file_path_prefix: await prefixIn(),
    file_size: 8 * PLACE,
    bytes_per_page: PLACE,
    metadata_server_url: url,
    rank: ++ranks,
    ...options,
  });
}

async function open(options: object = {}) {
  const driver = await make(options);
  await driver.open(never);
  return driver;
}

const known = () => service.rank(`${ranks}:tierkv`);

describeWithDirectIo('a mounted 3FS', () => {
  const large = { bytes_per_page: '4MiB', file_size: '12GiB' };
  const files = async () => createDriver('hf3fs', { file_path_prefix: await prefixIn(), file_size: '100MB' });
  for (const layer of ['no layer', 'all layers']) {
    conformance(`hf3fs with its service in ${layer}`, async () => LAYERS[layer]!(await make(large)));
    conformance(`hf3fs without its service in ${layer}`, async () => LAYERS[layer]!(await files()));
  }

  test('servers with the same file and rank share pages, and a restarted one finds them', async () => {
    const shared = { file_path_prefix: await prefixIn(), rank: 1000 };
    const [one, two] = [await open(shared), await open({ ...shared, rank: '1000' })];
    await write(one, 'model/a', bytes(50_000));
    expect((await read(two, 'model/a', PLACE)).value).toEqual(bytes(50_000));
    await one.close();
    const again = await open(shared);
    expect((await read(again, 'model/a', PLACE)).value).toEqual(bytes(50_000));
    expect(await remove(again, 'model/a')).toEqual({ status: 'removed' });
    expect((await read(two, 'model/a')).result).toEqual({ status: 'miss' });
    await Promise.all([two.close(), again.close()]);
    const file = `${shared.file_path_prefix}.1000.tierkv.bin`;
    expect(await stat(file)).toMatchObject({ size: 8 * PLACE });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('when all places are taken, the least recently used go, and the file does not grow', async () => {
    const driver = await open();
    for (let i = 0; i < 20; i++) expect(outcome(await write(driver, `k${i}`, bytes(1000, i)))).toBe('stored');
    expect((await has(driver, 'k0')).status).toBe('miss');
    for (let i = 12; i < 20; i++) expect((await read(driver, `k${i}`)).value).toEqual(bytes(1000, i));
    await driver.close();
  });

  test('a value that is too large for a place fails alone and takes none', async () => {
    const driver = await open();
    const writes = [
      { key: 'large', parts: [Buffer.alloc(PLACE)] },
      { key: 'most', parts: [bytes(driver.capabilities.largestValue)] },
    ];
    expect((await driver.write(writes, never)).map(outcome)).toEqual(['size', 'stored']);
    expect(known().free).toHaveLength(7);
    expect((await read(driver, 'most', PLACE)).value).toEqual(bytes(driver.capabilities.largestValue));
    await driver.close();
  });

  test('a place that became another key’s after it was looked up is looked up again', async () => {
    const driver = await open({ file_size: 2 * PLACE });
    await write(driver, 'a', bytes(1000, 1));
    const stale = known().keys.get('a')!;
    await write(driver, 'b', bytes(1000, 2));
    const other = known().keys.get('b')!;
    // The service says where it was a moment ago.
    let looks = 0;
    service.trouble = async (call) =>
      call === 'get_page_indices' && looks++ === 0
        ? { status: 200, text: `{"indices": [${other}]}` }
        : undefined;
    expect((await read(driver, 'a')).value).toEqual(bytes(1000, 1));
    expect(looks).toBe(2);
    looks = 0;
    known().keys.delete('a');
    expect((await read(driver, 'a')).result).toEqual({ status: 'miss' });
    service.trouble = async () => undefined;
    // It keeps saying so: what is there is not what was written.
    known().keys.set('c', stale);
    expect(outcome((await read(driver, 'c')).result)).toBe('corrupt');
    expect(await remove(driver, 'c')).toEqual({ status: 'removed' });
    expect(outcome(await write(driver, 'c', bytes(10)))).toBe('stored');
    await driver.close();
  });

  test('a value that is being written in its place is not read', async () => {
    const shared = { file_path_prefix: await prefixIn() };
    const driver = await open(shared);
    await write(driver, 'a', bytes(1000));
    const file = await openFile(`${shared.file_path_prefix}.${ranks}.tierkv.bin`, 'r+');
    await file.write(Buffer.from([0]), 0, 1, known().keys.get('a')! * PLACE + 4);
    await file.close();
    expect(outcome((await read(driver, 'a')).result)).toBe('corrupt');
    await driver.close();
  });

  test('after the service was started again without its memory, everything is a miss and goes on', async () => {
    const driver = await open();
    await write(driver, 'a', bytes(100));
    service.forgetAll();
    expect((await read(driver, 'a')).result).toEqual({ status: 'miss' });
    expect(outcome(await write(driver, 'a', bytes(100)))).toBe('stored');
    await driver.close();
  });

  test.each<[string, { status: number; text: string }, string]>([
    ['an error', { status: 500, text: 'Internal Server Error' }, 'unreachable'],
    ['another error', { status: 422, text: '{}' }, 'io'],
    ['no JSON', { status: 200, text: '<html>' }, 'io'],
    ['something else', { status: 200, text: '{"indices": "none", "exists": 3}' }, 'io'],
    ['nothing', { status: 204, text: '' }, 'io'],
    ['too few answers', { status: 200, text: '{"indices": [], "exists": []}' }, 'io'],
    ['an answer without an end', { status: 200, text: ' '.repeat(200_000) }, 'io'],
    ['a redirection', { status: 307, text: '' }, 'io'],
  ])('when the service answers with %s, keys fail and later calls do not', async (_, trouble, kind) => {
    const driver = await open();
    await write(driver, 'a', bytes(100));
    service.trouble = async () => trouble;
    expect(outcome(await has(driver, 'a'))).toBe(kind);
    expect(outcome((await read(driver, 'a')).result)).toBe(kind);
    expect(outcome(await write(driver, 'b', bytes(10)))).toBe(kind);
    expect(outcome(await remove(driver, 'a'))).toBe(kind);
    service.trouble = async () => undefined;
    expect((await read(driver, 'a')).value).toEqual(bytes(100));
    await driver.close();
  });

  test('a place is given back when its write is aborted, though the caller has left', async () => {
    const driver = await open();
    const abort = new AbortController();
    service.trouble = async (call) => {
      if (call === 'reserve_and_allocate_page_indices') abort.abort();
      return undefined;
    };
    const [result] = await driver.write([{ key: 'a', parts: [bytes(100)] }], abort.signal);
    expect(outcome(result!)).toBe('aborted');
    service.trouble = async () => undefined;
    await driver.close();
    expect(known().free).toHaveLength(8);
  });

  const unheard = (name: string) => async (call: string) =>
    call === name ? { status: 503, text: '' } : undefined;
  const allPlaces = () => known().free.length + known().keys.size;

  test.each(['heard', 'not heard'])(
    'no place is lost with the answer to a confirmation that was %s',
    async (how) => {
      const driver = await open();
      if (how === 'heard') service.isLost = (call) => call === 'confirm_write';
      else service.trouble = unheard('confirm_write');
      expect(outcome(await write(driver, 'a', bytes(100)))).toBe('unreachable');
      service.trouble = unheard('get_page_indices');
      service.isLost = () => false;
      // Nothing more is reserved before that is clear.
      expect(outcome(await write(driver, 'b', bytes(100)))).toBe('unreachable');
      expect(known().free).toHaveLength(7);
      service.trouble = async () => undefined;
      expect(outcome(await write(driver, 'b', bytes(100, 2)))).toBe('stored');
      expect((await read(driver, 'a')).value).toEqual(bytes(100));
      expect((await read(driver, 'b')).value).toEqual(bytes(100, 2));
      expect(allPlaces()).toBe(8);
      await driver.close();
    },
  );

  test('a place whose confirmation was lost goes back when another server wrote the page meanwhile', async () => {
    const shared = { file_path_prefix: await prefixIn(), rank: 1001 };
    const [one, two] = [await open(shared), await open(shared)];
    const places = service.rank('1001:tierkv');
    service.trouble = unheard('confirm_write');
    expect(outcome(await write(one, 'a', bytes(100)))).toBe('unreachable');
    service.trouble = async () => undefined;
    expect(outcome(await write(two, 'a', bytes(100)))).toBe('stored');
    expect(outcome(await write(one, 'b', bytes(100)))).toBe('stored');
    expect((await read(one, 'a')).value).toEqual(bytes(100));
    expect(places.free.length + places.keys.size).toBe(8);
    await Promise.all([one.close(), two.close()]);
  });

  test('a confirmation that the service does not accept, also when it is repeated, holds up no later writes', async () => {
    const driver = await open();
    service.trouble = unheard('confirm_write');
    expect(outcome(await write(driver, 'a', bytes(100)))).toBe('unreachable');
    let refusals = 0;
    service.trouble = async (call) =>
      call === 'confirm_write' && refusals++ === 0 ? { status: 400, text: '' } : undefined;
    expect(outcome(await write(driver, 'b', bytes(100)))).toBe('stored');
    expect(outcome(await write(driver, 'a', bytes(100)))).toBe('stored');
    expect(refusals).toBe(3);
    await driver.close();
  });

  test('a service that does not answer is left when the signal aborts, and when it is closed', async () => {
    const driver = await open();
    const release = Promise.withResolvers<undefined>();
    const asked = Promise.withResolvers<void>();
    service.trouble = () => {
      asked.resolve();
      return release.promise;
    };
    const abort = new AbortController();
    const looking = driver.has(['a'], abort.signal);
    await asked.promise;
    abort.abort();
    expect((await looking).map(outcome)).toEqual(['aborted']);
    const reading = driver.read([{ key: 'a', into: [] }], never);
    await driver.close();
    expect((await reading).map(outcome)).toEqual(['closed']);
    release.resolve(undefined);
    service.trouble = async () => undefined;
  });

  test('a service that is not there is named at opening, and no file is left open', async () => {
    await expect(open({ metadata_server_url: 'http://127.0.0.1:1' })).rejects.toMatchObject({
      code: 'storage_failed',
      message: expect.stringMatching(/'hf3fs'.*cannot be reached\. Check 'metadata_server_url'/),
    });
    const notFound = await fakeServer((_, response) => response.writeHead(404).end());
    await expect(open({ metadata_server_url: notFound })).rejects.toMatchObject({
      message: expect.stringContaining("answered initialize with status 404. Check 'metadata_server_url'"),
    });
    const silent = await fakeServer(() => undefined);
    await expect(open({ metadata_server_url: silent })).rejects.toMatchObject({
      message: expect.stringContaining("has not answered for 5 s. Check 'metadata_server_url'"),
    });
  });
});

test.each([{ metadata_server_url: 'http://127.0.0.1:1' }, {}])(
  'a mount that is not there is refused, and not made: %j',
  async (options) => {
    const folder = await temporaryFolder();
    const driver = createDriver('hf3fs', {
      file_path_prefix: path.join(folder, 'mount', 'hicache'),
      file_size: '1GB',
      ...options,
    });
    await expect(driver.open(never)).rejects.toMatchObject({
      code: 'storage_failed',
      message: expect.stringContaining("mount 3FS, or check 'file_path_prefix'"),
    });
    expect(await readdir(folder)).toEqual([]);
    await driver.close();
  },
);

const SERVICE = { metadata_server_url: 'http://meta:18000' };
test.each<[object, string]>([
  [{ file_size: '1GB' }, "'file_path_prefix' is required"],
  [{ file_path_prefix: 'relative', file_size: 1 }, "'file_path_prefix' must match pattern"],
  [{ file_path_prefix: '/x' }, "'file_size' is required"],
  [{ file_path_prefix: '/x', file_size: 0 }, "'file_size' must be more than 0"],
  [{ file_path_prefix: '/x', file_size: '1MB', ...SERVICE }, "'file_size' must be at least bytes_per_page"],
  [
    { file_path_prefix: '/x', file_size: '1GB', bytes_per_page: 5000, ...SERVICE },
    "'bytes_per_page' must be a multiple",
  ],
  [
    { file_path_prefix: '/x', file_size: '1GB', metadata_server_url: 'ftp://x' },
    "'metadata_server_url' must match",
  ],
  [{ file_path_prefix: '/x', file_size: '1GB', rank: -1 }, "'rank'"],
])('the options %j are refused', (options, message) => {
  expect(() => createDriver('hf3fs', options)).toThrow(
    expect.objectContaining({ code: 'storage_config', message: expect.stringContaining(message) }),
  );
});
