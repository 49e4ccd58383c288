import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/cli/config-file.ts';
import { Failure } from '../../src/shared/errors.ts';
import { temporaryFolder } from '../storage/support/folders.ts';

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
});

async function read(name: string, text: string | Uint8Array): Promise<unknown> {
  const file = path.join(folder, name);
  await writeFile(file, text);
  return JSON.parse((await readConfig('--extra-config', `@${file}`)) ?? '');
}

/** The message, which must name the flag and the file and quote nothing of it. */
async function problem(name: string, text: string | Uint8Array): Promise<string> {
  const error = await read(name, text).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof Failure)) return expect.unreachable(String(error));
  expect(error.code).toBe('bad_option');
  const start = `--extra-config: ${path.join(folder, name)} `;
  expect(error.message.slice(0, start.length)).toBe(start);
  expect(error.message).not.toContain('hunter2');
  expect(error.message).not.toContain('\n');
  // Neither does anything that hangs on it.
  expect(error.cause).toBeUndefined();
  return error.message.slice(start.length);
}

const SAME = {
  path: '/pages',
  prefetch_threshold: 8,
  nested: { list: [1, 2.5, true, 'a'], key: { env: 'KEY' } },
};
const YAML = `# pages\npath: /pages\nprefetch_threshold: 8\nnested:\n  list: [1, 2.5, true, a]\n  key: {env: KEY}\n`;

describe('a configuration', () => {
  it('that is no file is given back as it is', async () => {
    expect(await readConfig('--extra-config', undefined)).toBeUndefined();
    expect(await readConfig('--extra-config', '{"path": ')).toBe('{"path": ');
  });

  it.each([
    ['config.json', JSON.stringify(SAME)],
    ['with-mark.JSON', `\ufeff${JSON.stringify(SAME)}`],
    ['config.yaml', YAML],
    ['config.yml', YAML],
    [
      'config.toml',
      'path = "/pages"\nprefetch_threshold = 8\n[nested]\nlist = [1, 2.5, true, "a"]\nkey = {env = "KEY"}\n',
    ],
  ])('in %s means the same', async (name, text) => {
    expect(await read(name, text)).toEqual(SAME);
  });

  it.each(['empty.yaml', 'empty.toml'])('of nothing but comments, in %s, is empty', async (name) => {
    expect(await read(name, '# nothing\n')).toEqual({});
  });

  it('in YAML may use an alias, and reads what looks like a date as a text', async () => {
    const text = 'a: &same {x: 1}\nb: *same\nday: 2026-01-01\n';
    expect(await read('alias.yaml', text)).toEqual({ a: { x: 1 }, b: { x: 1 }, day: '2026-01-01' });
  });
});

describe('a configuration file is refused', () => {
  it.each([
    ['broken.json', '{"a": 1,\n "password": hunter2}', /^is not valid JSON/],
    ['cut.json', '{"password": "hunter2', /^is not valid JSON \(line 1, column \d+\)\.$/],
    ['empty.json', '', /^is not valid JSON/],
    ['broken.yaml', 'a: [1\npassword: hunter2', 'is not valid YAML (line 2, column 1).'],
    ['twice.yaml', 'password: hunter2\npassword: hunter2', 'is not valid YAML (line 2, column 1).'],
    ['two.yaml', 'password: hunter2\n---\na: 1', 'is not valid YAML (line 2, column 1).'],
    ['tag.yaml', 'password: !mine hunter2', 'is not valid YAML (line 1, column 11).'],
    ['unknown-alias.yaml', 'a: *hunter2', 'is not valid YAML: an alias is unknown, or is used too often.'],
    ['bomb.yaml', bomb(), 'is not valid YAML: an alias is unknown, or is used too often.'],
    ['broken.toml', 'a = 1\npassword = "hunter2', 'is not valid TOML (line 2, column 12).'],
    ['large.toml', 'a = 12345678901234567890', 'is not valid TOML (line 1, column 5).'],
    ['bytes.json', new Uint8Array([0x22, 0xff, 0x22]), 'is not valid UTF-8.'],
    ['list.json', '["hunter2"]', 'does not hold an object.'],
    ['text.yaml', 'hunter2', 'does not hold an object.'],
  ])('when it is wrong, with the place: %s', async (name, text, message) => {
    expect(await problem(name, text)).toEqual(
      typeof message === 'string' ? message : expect.stringMatching(message),
    );
  });

  it.each([
    ['date.toml', 'a = 1\n[b]\nc = [1, 2026-01-01]', "a date or time at 'b.c.1'"],
    ['time.toml', 'a = 07:32:00', "a date or time at 'a'"],
    ['date.yaml', '%YAML 1.1\n---\na: {b: 2026-01-01}', "a date or time at 'a.b'"],
    ['infinite.yaml', 'a: .inf', "a number that is not finite at 'a'"],
    ['infinite.toml', 'a = nan', "a number that is not finite at 'a'"],
    ['large.yaml', 'a: 12345678901234567890', "a number that is too large at 'a'"],
    ['large.json', '{"a": 12345678901234567890}', "a number that is too large at 'a'"],
    ['bytes.yaml', 'a: !!binary aHVudGVyMg==', "a value of a special type at 'a'"],
    ['set.yaml', 'a: !!set {hunter2}', "a value of a special type at 'a'"],
    ['circle.yaml', 'a: &a [*a]', "an alias of what it is in at 'a.0'"],
  ])('when JSON cannot hold it: %s', async (name, text, what) => {
    expect(await problem(name, text)).toBe(`has ${what}, which JSON cannot hold.`);
  });

  it('when its name does not say what it is', async () => {
    for (const name of ['config', 'config.ini'])
      expect(await problem(name, '{}')).toBe('does not end in .json, .yaml, .yml or .toml.');
  });

  it('when it cannot be read', async () => {
    const missing = readConfig('--extra-config', '@/nosuch/file.json');
    await expect(missing).rejects.toThrow('--extra-config: /nosuch/file.json cannot be read (ENOENT).');
  });
});

/** Grows tenfold with every line. */
function bomb(): string {
  const lines = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(10).fill(`*l${i}`)}]`);
  return ['l0: &l0 [hunter2]', ...lines].join('\n');
}
