import { beforeEach, describe, expect, it } from 'vitest';
import { SharedRuns } from './shared-runs.js';

describe('shared runs', () => {
  let begun: { resolve: (answer: string) => void; reject: (error: Error) => void }[];
  let runs: SharedRuns<string>;

  beforeEach(() => {
    begun = [];
    runs = new SharedRuns(() => new Promise((resolve, reject) => begun.push({ resolve, reject })));
  });

  it('begin at once where none is under way', async () => {
    for (const answer of ['a', 'b']) {
      const asked = runs.run();
      await new Promise(setImmediate);
      begun.at(-1)!.resolve(answer);
      expect(await asked).toBe(answer);
    }
    expect(begun).toHaveLength(2);
  });

  it('are one for all who ask while one is under way, which began too early for them', async () => {
    const first = runs.run();
    await new Promise(setImmediate);
    const later = [runs.run(), runs.run(), runs.run()];
    await new Promise(setImmediate);
    expect(begun).toHaveLength(1);
    begun[0]!.resolve('early');
    await new Promise(setImmediate);
    expect(begun).toHaveLength(2);
    begun[1]!.resolve('late');
    expect(await first).toBe('early');
    expect(await Promise.all(later)).toEqual(['late', 'late', 'late']);
  });

  it('fail alone', async () => {
    const failed = runs.run();
    await new Promise(setImmediate);
    const next = runs.run();
    begun[0]!.reject(new Error('no'));
    await expect(failed).rejects.toThrow('no');
    await new Promise(setImmediate);
    begun[1]!.resolve('yes');
    expect(await next).toBe('yes');
  });
});
