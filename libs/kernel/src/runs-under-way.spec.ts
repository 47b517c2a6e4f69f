import { expect, it } from 'vitest';
import { RunsUnderWay } from './runs-under-way.js';

it('answers all who ask while a run of their key is under way by that one, and who asks behind it by another', async () => {
  const runs = new RunsUnderWay<string, string>();
  const ends = new Map<string, () => void>();
  const began: string[] = [];
  const ask = (key: string, name: string): Promise<string> =>
    runs.run(key, async () => {
      began.push(name);
      await new Promise<void>((resolve) => ends.set(name, resolve));
      return name;
    });
  const asked = [ask('a', 'first'), ask('a', 'second'), ask('b', 'other')];
  expect(began).toEqual(['first', 'other']);
  for (const end of ends.values()) end();
  expect(await Promise.all(asked)).toEqual(['first', 'first', 'other']);
  const third = ask('a', 'third');
  ends.get('third')!();
  expect(await third).toBe('third');
});

it('lets all of them fail by a run that fails, and runs again for who asks then', async () => {
  const runs = new RunsUnderWay<string, number>();
  const fail = (): Promise<number> => Promise.reject(new Error('away'));
  const failed = await Promise.allSettled([runs.run('a', fail), runs.run('a', () => Promise.resolve(1))]);
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await runs.run('a', () => Promise.resolve(2))).toBe(2);
});
