import { expect, it } from 'vitest';
import { tierkv } from '../support/command.ts';

async function output(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await tierkv(['storage', 'backends', ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

it('the options of a backend are shown, and those that every backend has', async () => {
  const [own, every = ''] = (await output('file')).split('Options of every backend:');
  expect(own).toMatch(/│ max_size /);
  expect(own).not.toContain('breaker');
  for (const option of [
    'breaker.failures',
    'compress.level',
    'encrypt.key_file',
    'encrypt.old_keys',
    'quota',
  ])
    expect(every).toContain(`│ ${option} `);
  const [file] = JSON.parse(await output('file', '--json')) as object[];
  expect(file).toMatchObject({
    name: 'file',
    options: { properties: { max_size: {} } },
    everyBackend: { properties: { breaker: {}, quota: {}, prefetch_threshold: {} } },
  });
});
