import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { complaintOf, tierkv } from '../support/command.ts';
import { fakeServer } from '../support/fake-server.ts';

const KEY = 'sesame-admin-key';
const ROUTE = '/hicache/storage-backend';

describe('a server that cannot be asked is one clear line', () => {
  const ask = (url: string, ...flags: string[]) =>
    tierkv(['storage', ...(flags.length > 0 ? flags : ['status']), '--url', url], {
      TIERKV_ADMIN_API_KEY: KEY,
    });

  it('when nothing listens, or there is no such host', async () => {
    for (const command of [['status'], ['attach', 'file']])
      expect(complaintOf(await ask('http://127.0.0.1:1', ...command))).toBe(
        'http://127.0.0.1:1 cannot be reached: nothing listens there.',
      );
    expect(complaintOf(await ask('http://nosuch.invalid'))).toMatch(
      /^http:\/\/nosuch.invalid cannot be reached: /,
    );
  });

  it.each(['127.0.0.1:30000', 'localhost:30000', 'ftp://x', 'http://u:hunter2@x', 'http://x/?key=hunter2'])(
    'when --url is %s, which is not repeated',
    async (url) => {
      const line = complaintOf(await ask(url));
      expect(line).toContain('--url must be an address such as http://127.0.0.1:30000');
      expect(line).not.toContain('hunter2');
    },
  );

  it.each([
    ['a page', 200, '<html>welcome</html>', 'status 200, and no JSON'],
    ['other JSON', 200, '{"status": "ok"}', 'its answer has another shape'],
    ['an error of its own', 502, '{"detail": "Bad gateway"}', 'status 502'],
    ['a redirection', 302, '', 'status 302, and no JSON'],
  ])('when it answers with %s', async (_what, status, text, reason) => {
    const url = await fakeServer((_request, response) => {
      response.writeHead(status, { location: '/elsewhere' }).end(text);
    });
    expect(complaintOf(await ask(url))).toBe(`${url} does not answer as TierKV does: ${reason}.`);
    expect(complaintOf(await ask(url, 'detach', '--json'))).toContain('does not answer as TierKV does');
  });

  it('when it speaks something else, or hangs up', async () => {
    const other = createServer((socket) => void socket.on('error', () => {}).end('SSH-2.0-OpenSSH_9.2\r\n'));
    await once(other.listen(0, '127.0.0.1'), 'listening');
    const { port } = other.address() as AddressInfo;
    expect(complaintOf(await ask(`http://127.0.0.1:${port}`))).toContain('it does not speak HTTP');
    other.close();
    const url = await fakeServer((request) => void request.socket.destroy());
    expect(complaintOf(await ask(url))).toContain('cannot be reached: it closed the connection');
  });

  it('when it hangs, before its answer or within', { timeout: 90_000 }, async () => {
    const silent = await fakeServer(() => {});
    const slow = await fakeServer((_request, response) => void response.writeHead(200).write('{'));
    const [first, second, third] = await Promise.all([
      ask(silent, 'attach', 'file', '--timeout', '0.5'),
      ask(slow, 'clear', '--timeout', '0.5'),
      ask(silent, 'status'),
    ]);
    expect(complaintOf(first)).toBe(`The answer of ${silent} took longer than 5.5 s.`);
    expect(complaintOf(second)).toBe(`The answer of ${slow} took longer than 5.5 s.`);
    expect(complaintOf(third)).toBe(`The answer of ${silent} took longer than 5 s.`);
  });
});

describe('a flag that cannot be', () => {
  it.each([
    ['attach', "missing required argument 'backend'"],
    ['nosuch', "unknown command 'nosuch'"],
    ['attach file --mode nosuch', 'Allowed choices are idle, drain, live'],
    ['attach file --prefetch-policy nosuch', 'Allowed choices are best_effort'],
    ['switch file --write-policy nosuch', 'Allowed choices are write_through'],
    ['attach file --read-through 5', "unknown option '--read-through'"],
    ['switch file --read-through -1', 'number from 0 to 86400'],
    ['clear --scope nosuch', 'Allowed choices are model, all'],
    ['clear --timeout 0', 'number from 0.001 to 3600'],
    ['detach --timeout x', 'number from 0.001 to 3600'],
    ['check file --extra-config @/nosuch.toml', '--extra-config: /nosuch.toml cannot be read (ENOENT)'],
  ])('is one clear line: %s', async (command, problem) => {
    const { stdout, ...ended } = await tierkv(['storage', ...command.split(' ')]);
    expect(stdout).toBe('');
    expect(complaintOf({ stdout, ...ended })).toContain(problem);
  });
});

describe('secrets', () => {
  const SECRET = 'hunter2-of-the-store';

  it('are in no output, whatever a server answers', async () => {
    const echo = await fakeServer((request, response) => {
      const key = request.headers.authorization;
      let body = '';
      request.on('data', (chunk) => {
        body += String(chunk);
      });
      request.on('end', () => {
        const message = `You sent ${key}\u001b[2J\nand ${SECRET} in ${body}`;
        const error = { message, code: `${key}` };
        response.writeHead(400).end(JSON.stringify({ error: request.url === ROUTE ? error : message }));
      });
    });
    for (const command of ['attach', 'check'])
      for (const more of [[], ['--json']]) {
        const given = ['--url', echo, '--extra-config', JSON.stringify({ password: SECRET }), ...more];
        const ended = await tierkv(['storage', command, 'file', ...given, '--admin-api-key', KEY]);
        complaintOf(ended);
        expect(ended.stdout + ended.stderr).not.toMatch(new RegExp(`${SECRET}|${KEY}`));
        expect(ended.stderr).not.toContain('\u001b');
      }
  });
});
