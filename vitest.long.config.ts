import { defineConfig } from 'vitest/config';

/** What takes too long for every change. */
export default defineConfig({
  test: {
    include: ['tests/long/**/*.long.ts'],
    maxWorkers: 2,
    testTimeout: 3_600_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
  },
});
