import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Metrics } from './metrics.js';

let collectGarbage: () => void;
beforeAll(() => {
  setFlagsFromString('--expose-gc');
  collectGarbage = runInNewContext('gc') as () => void;
});
afterAll(() => setFlagsFromString('--no-expose-gc'));

describe('what a process counts', () => {
  it('is told beside what Node tells of the process, each once', async () => {
    const metrics = new Metrics();
    metrics.countFacts(3);
    const { text } = await metrics.expose();
    const names = text.split('\n').filter((line) => line.startsWith('# TYPE'));
    expect(text).toMatch(/^annals_facts_appended_total 3$/m);
    expect(text).toMatch(/^process_cpu_seconds_total \d/m);
    expect(new Set(names).size).toBe(names.length);
  });

  it('is let go of with whoever counted', async () => {
    const counted = (): WeakRef<object> => {
      const metrics = new Metrics();
      const owner = { rooms: 1 };
      metrics.addGauge('annals_rooms', 'Rooms', () => owner.rooms);
      return new WeakRef(owner);
    };
    const owner = counted();
    // What a reference that is weak was asked for in a turn stays until its end.
    await new Promise(setImmediate);
    collectGarbage();
    expect(owner.deref()).toBeUndefined();
  });
});
