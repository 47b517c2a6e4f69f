import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { KeyedQueue } from './keyed-queue.js';

test('tasks of one key run one after another, those of other keys beside them', async () => {
  const queue = new KeyedQueue<string>();
  const log: string[] = [];
  const task = (name: string, ms: number) => async (): Promise<void> => {
    log.push(`${name} begins`);
    await delay(ms);
    log.push(`${name} ends`);
  };
  await Promise.all([queue.run('a', task('a1', 20)), queue.run('a', task('a2', 0)), queue.run('b', task('b1', 5))]);
  expect(log.indexOf('a2 begins')).toBeGreaterThan(log.indexOf('a1 ends'));
  expect(log.indexOf('b1 begins')).toBeLessThan(log.indexOf('a1 ends'));
});

test('a task that fails fails alone', async () => {
  const queue = new KeyedQueue<string>();
  const failed = queue.run('a', () => Promise.reject(new Error('no')));
  const next = queue.run('a', () => Promise.resolve(7));
  await expect(failed).rejects.toThrow('no');
  expect(await next).toBe(7);
});

test('nothing is kept of a key that has no work left', async () => {
  const queue = new KeyedQueue<string>();
  const running = queue.run('a', () => delay(1));
  expect(queue.size).toBe(1);
  await running;
  await delay(0);
  expect(queue.size).toBe(0);
});
