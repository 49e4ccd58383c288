import { describe, expect, it } from 'vitest';
import { ServerClient } from '../../src/cli/server-client.ts';
import type { StatusAnswer } from '../../src/cli/storage/answers.ts';
import { watched, whatIsWaitedFor } from '../../src/cli/storage/progress.ts';
import { fakeServer } from '../support/fake-server.ts';

const rank = (number: number, ...blocked_by: string[]) => ({ rank: number, state: 'attached', blocked_by });

function status(mode: string | null, ...ranks: StatusAnswer['ranks']): StatusAnswer {
  return {
    hicache_storage_backend: null,
    hicache_storage_prefetch_policy: null,
    hicache_write_policy: null,
    state: 'detached',
    epoch: null,
    attached_at: null,
    operation: { id: 1, kind: 'attach', backend: 'file', mode, started_at: 0 },
    ranks,
  };
}

describe('what an operation waits for', () => {
  it('is what keeps every rank from being idle', () => {
    const ranks = [rank(0), rank(1, 'running=2', 'backup=4'), rank(2, 'prefetch=1')];
    expect(whatIsWaitedFor(status('drain', ...ranks))).toBe(
      'waits for rank 1: running=2, backup=4; rank 2: prefetch=1',
    );
  });

  it('is a rank that does not answer', () => {
    expect(whatIsWaitedFor(status('live', rank(0), { rank: 1, state: 'no answer' }))).toBe(
      'waits for rank 1: no answer',
    );
  });

  it('is nothing when all are idle, or nothing is under way', () => {
    expect(whatIsWaitedFor(status('drain', rank(0)))).toBe('');
    expect(whatIsWaitedFor({ ...status(null, rank(0, 'running=1')), operation: null })).toBe('');
  });
});

describe('progress', () => {
  it('is one line on a terminal, rewritten until the work ends, and then gone', async () => {
    const url = await fakeServer((_request, response) => {
      response.end(JSON.stringify(status('drain', rank(0, 'backup=5'))));
    });
    const written: string[] = [];
    const seen = Promise.withResolvers<string>();
    const output = {
      isTTY: true,
      columns: 60,
      write(text: string) {
        written.push(text);
        if (text.includes('waits')) seen.resolve(text);
      },
    };
    const line = await watched(new ServerClient(url, undefined, []), 'attach file', seen.promise, output);
    expect(line.slice('\r\x1b[2K'.length)).toMatch(/^attach file · \d+ s · waits for rank 0: backup=5$/);
    expect(written[0]).toBe('\r\x1b[2Kattach file · 0 s');
    expect(written.at(-1)).toBe('\r\x1b[2K');
    expect(written.join('')).not.toContain('\n');
    for (const text of written) expect(text.length).toBeLessThan(60 + '\r\x1b[2K'.length);
  });

  it('goes on when no status can be had, and ends with the work that fails', async () => {
    let asked = 0;
    const twice = Promise.withResolvers<never>();
    const url = await fakeServer((request) => {
      request.socket.destroy();
      if (++asked === 2) twice.reject(new Error('refused'));
    });
    const written: string[] = [];
    const output = { isTTY: true, columns: 0, write: (text: string) => written.push(text) };
    const work = watched(new ServerClient(url, undefined, []), 'detach', twice.promise, output);
    await expect(work).rejects.toThrow('refused');
    expect(written[0]).toBe('\r\x1b[2Kdetach · 0 s');
    expect(written.at(-1)).toBe('\r\x1b[2K');
  });

  it('is nothing where there is no terminal', async () => {
    const written: string[] = [];
    const output = { write: (text: string) => written.push(text) };
    const client = new ServerClient('http://127.0.0.1:1', undefined, []);
    expect(await watched(client, 'clear', Promise.resolve(5), output)).toBe(5);
    expect(written).toEqual([]);
  });
});
