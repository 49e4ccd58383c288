import { describe, it } from 'vitest';
import { breakUnderLoad, outagesOfRedis, outagesOfS3 } from '../support/outages.ts';

const SECONDS = 20;

describe('a store that dies, hangs, slows down, returns garbage and fills up under load', () => {
  it.each([
    ['redis', outagesOfRedis],
    ['s3', outagesOfS3],
  ])('%s: answers stay right, and none fails', async (_, start) => {
    const { backend, outages } = await start();
    console.log(await breakUnderLoad(backend, outages, SECONDS));
  });
});
