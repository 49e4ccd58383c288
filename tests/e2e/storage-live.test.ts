import { expect, it } from 'vitest';
import { changeUnderLoad } from '../support/live-operations.ts';

// `npm run test:long` goes on for minutes.
it('W5: answers stay right, and none fails, while the storage is attached, switched and detached under load', async () => {
  const { requests, operations, fromStorage } = await changeUnderLoad(12);
  expect(requests).toBeGreaterThan(16);
  expect(operations).toBeGreaterThan(4);
  expect(fromStorage).toBeGreaterThan(0);
}, 120_000);
