import { rounded } from '../../src/bench/statistics.ts';
import { ask } from '../support/client.ts';
import { table } from '../support/page.ts';
import type { Measured, Settings } from '../support/parts.ts';
import { uniquePrompt } from '../support/prompts.ts';
import { type BenchServer, metric, storageIdle, withServers } from '../support/server.ts';
import { rankPids, writtenBytes } from './processes.ts';
import { storedIn } from './storage.ts';

const PAGE_TOKENS = 64;

/** How many bytes are written for each byte of KV that is stored, when conversations go on and begin alike. */
export async function measureWrites({ quick, modelPath, say }: Settings): Promise<Measured> {
  const [conversations, turns, system, said] = quick ? [2, 2, 128, 64] : [16, 5, 512, 160];
  return await storedIn(async (storage) => {
    const flags = {
      '--model-path': modelPath,
      '--max-total-tokens': 8192,
      '--context-length': 2048,
      ...storage,
    };
    return await withServers([flags], async ([server]) => {
      const before = await written(server!);
      for (let turn = 1; turn <= turns; turn++) {
        const asked = Array.from({ length: conversations }, (_, i) => [
          ...uniquePrompt(0, system),
          ...uniquePrompt(1 + i, turn * said),
        ]);
        await Promise.all(asked.map((prompt) => ask(server!.url, prompt, 1)));
        await storageIdle(server!.url);
        say(`turn ${turn} of ${turns}`);
      }
      const after = await written(server!);
      const pages = system / PAGE_TOKENS + conversations * Math.floor((turns * said) / PAGE_TOKENS);
      const least = pages * (await pageBytesOf(server!));
      const row = (what: string, bytes: number) => [
        what,
        rounded(bytes / 2 ** 20),
        rounded(bytes / least, 3),
      ];
      const toStorage = after.storage - before.storage;
      const byRank = after.process - before.process;
      const markdown = table(
        ['', 'MiB', 'ratio'],
        [
          row('KV of all whole pages that are different', least),
          row('handed to the storage', toStorage),
          row('written by the rank, to files and to its server', byRank),
        ],
      );
      const about = `${conversations} conversations of ${turns} turns under one system prompt of ${system} tokens`;
      const data = { conversations, turns, system, said, least, toStorage, byRank };
      return { data, markdown, about };
    });
  });
}

async function written(server: BenchServer): Promise<{ storage: number; process: number }> {
  const [pid] = await rankPids(server);
  const storage = await metric(server.url, 'tierkv_storage_bytes_total', 'op="write"');
  return { storage, process: await writtenBytes(pid!) };
}

async function pageBytesOf({ url }: BenchServer): Promise<number> {
  const { limits } = (await (await fetch(`${url}/server_info`)).json()) as {
    limits: { kvBytes: number; maxTotalTokens: number };
  };
  return (PAGE_TOKENS * limits.kvBytes) / limits.maxTotalTokens;
}
