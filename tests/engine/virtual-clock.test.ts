import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/engine/simulated/virtual-clock.ts';

describe('the virtual clock', () => {
  it('wakes sleepers in order of their time, and equal ones in order of asking', async () => {
    const clock = new VirtualClock();
    const woken: string[] = [];
    const sleep = async (name: string, ms: number) => {
      await clock.sleep(ms);
      woken.push(`${name} at ${clock.now()}`);
    };
    void sleep('c', 30);
    void sleep('a', 10);
    void sleep('b', 10);
    void sleep('d', 31);
    await clock.advance(30);
    expect(woken).toEqual(['a at 10', 'b at 10', 'c at 30']);
    expect([clock.now(), clock.sleepers]).toEqual([30, 1]);
  });

  it('lets those who wake sleep again within the same time', async () => {
    const clock = new VirtualClock();
    let turns = 0;
    void (async () => {
      for (;;) {
        await clock.sleep(7);
        turns++;
      }
    })();
    await clock.advance(70);
    expect([turns, clock.now()]).toEqual([10, 70]);
  });

  it('forgets a sleeper that is aborted', async () => {
    const clock = new VirtualClock();
    const controller = new AbortController();
    const sleeping = clock.sleep(1000, controller.signal);
    controller.abort();
    await sleeping;
    await clock.sleep(1000, controller.signal);
    expect([clock.now(), clock.sleepers]).toEqual([0, 0]);
  });
});
