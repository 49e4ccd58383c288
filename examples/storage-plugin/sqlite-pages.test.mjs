// Run by `node --test`: the conformance suite of TierKV, which needs no other test runner.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { storageSuite } from 'tierkv/storage-suite';
import { SqlitePages } from './sqlite-pages.mjs';

const folder = await mkdtemp(path.join(tmpdir(), 'sqlite-pages-'));
after(() => rm(folder, { recursive: true }));

let stores = 0;
storageSuite(
  {
    name: 'SqlitePages',
    make: () => new SqlitePages({ path: path.join(folder, `${stores++}.db`) }),
    skip: { ttl: 'Its values stay.', faults: 'It uses no network.' },
  },
  { describe, test },
);
