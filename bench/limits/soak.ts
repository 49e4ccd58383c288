import { setTimeout as sleep } from 'node:timers/promises';
import { rounded } from '../../src/bench/statistics.ts';
import { Load } from '../support/load.ts';
import { table } from '../support/page.ts';
import type { Measured, Settings } from '../support/parts.ts';
import { metric, withServers } from '../support/server.ts';
import { rankPids, residentMemory } from './processes.ts';
import { storedIn } from './storage.ts';

/** In the first minutes pools grow to their size. */
const SHOWN = [0, 1, 2, 5, 10, 15, 20, 25, 30];

interface Moment {
  minute: number;
  server: number;
  rank: number;
  requests: number;
  /** Bytes that were written to files so far. */
  written: number;
}

/**
 * What a server at saturation takes of memory, minute after minute. Half of the prompts come back from files; the others
 * are always new, so that the store is full after some minutes and gives up the oldest.
 */
export async function measureSoak({ quick, modelPath, say }: Settings): Promise<Measured> {
  const minutes = quick ? 1 : 30;
  const minuteMs = quick ? 1000 : 60_000;
  return await storedIn(async (storage) => {
    const flags = {
      '--model-path': modelPath,
      '--max-total-tokens': 4096,
      '--context-length': 1024,
      ...storage,
    };
    return await withServers([flags], async ([server]) => {
      const { url, pid } = server!;
      const [rank] = await rankPids(server!);
      const moments: Moment[] = [];
      const note = async (minute: number) => {
        const requests = await metric(url, 'tierkv_requests_total');
        const written = await metric(url, 'tierkv_storage_bytes_total', 'op="write"');
        moments.push({
          minute,
          server: await residentMemory(pid),
          rank: await residentMemory(rank!),
          requests,
          written,
        });
        say(JSON.stringify(moments.at(-1)));
      };
      await note(0);
      const shape = { streams: 8, promptTokens: quick ? 64 : 256, answerTokens: 16 };
      const loads = [96, Number.POSITIVE_INFINITY].map((prompts) => new Load(url, { ...shape, prompts }));
      for (let minute = 1; minute <= minutes; minute++) {
        await sleep(minuteMs);
        await note(minute);
      }
      await Promise.all(loads.map((load) => load.stop()));
      const fromStorage = await metric(url, 'tierkv_cached_tokens_total', 'source="storage"');
      const markdown = table(
        ['minute', 'requests', 'written, MiB', 'server, MiB', 'rank, MiB'],
        moments
          .filter(({ minute }) => SHOWN.includes(minute))
          .map(({ minute, requests, written, server, rank }) => [
            minute,
            requests,
            Math.round(written / 2 ** 20),
            rounded(server),
            rounded(rank),
          ]),
      );
      const about = `197 M parameters in q8_0, 16 streams, none failed; ${fromStorage} prompt tokens came from files`;
      return { data: { moments, fromStorage }, markdown, about };
    });
  });
}
