import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { AGAIN_MS } from '../regular-looks.js';
import { RetryingEffect } from './retrying-effect.js';

/** What it tries ends when it is told to. */
class Tries extends RetryingEffect {
  readonly underWay: { readonly isStopped: () => boolean; readonly end: (isLeft: boolean) => void }[] = [];
  tried = 0;

  /** As of a fact of which something is left. */
  leave(): void {
    this.tryLater();
  }

  protected async tryAgain(isStopped: () => boolean): Promise<boolean> {
    this.tried++;
    return new Promise((end) => this.underWay.push({ isStopped, end }));
  }

  protected failed(error: unknown): void {
    throw error;
  }
}

let effect: Tries;
beforeEach(() => {
  vi.useFakeTimers();
  effect = new Tries();
});
afterEach(() => {
  effect.end();
  vi.useRealTimers();
});
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

it('ends what is under way before it begins again, where another process ran it meanwhile', async () => {
  await effect.begin();
  await pass(0);
  effect.end();
  await effect.begin();
  await pass(0);
  const [first] = effect.underWay;
  expect([effect.tried, first!.isStopped()]).toEqual([1, true]);
  first!.end(true);
  await pass(0);
  expect([effect.tried, effect.underWay[1]!.isStopped()]).toEqual([2, false]);
});

it('asks whoever is away once, and then in five minutes, whatever else is left meanwhile', async () => {
  await effect.begin();
  await pass(0);
  effect.underWay.pop()!.end(false);
  await pass(0);
  effect.leave();
  await pass(AGAIN_MS - 1);
  effect.leave();
  expect(effect.tried).toBe(1);
  await pass(1);
  effect.underWay.pop()!.end(true);
  await pass(0);
  effect.leave();
  await pass(AGAIN_MS - 1);
  expect(effect.tried).toBe(2);
  await pass(1);
  expect(effect.tried).toBe(3);
});
