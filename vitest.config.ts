import { defineConfig } from 'vitest/config';
import StuckReporter from './tests/support/stuck-reporter.ts';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    // The tests' server processes and native contexts share two cores: more workers only make each slower.
    maxWorkers: 2,
    reporters: ['default', new StuckReporter()],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // A second, which is what it is otherwise, is not long on a machine that does other work.
    expect: { poll: { timeout: 20_000 } },
  },
});
