import { describe, expect, it } from 'vitest';
import { drain, type DrainStep } from './drain.js';

const SOON_MS = 20;

function recorder(): { log: { warn(fields: object): void }; warned: unknown[] } {
  const warned: unknown[] = [];
  return { log: { warn: (fields) => void warned.push((fields as { step: unknown }).step) }, warned };
}

const step = (name: string, run: DrainStep['run']): DrainStep => ({ name, milliseconds: SOON_MS, run });

describe('the drain', () => {
  it('runs its steps one after another', async () => {
    const order: string[] = [];
    const { log, warned } = recorder();
    const slow = step('doors', async () => {
      await Promise.resolve();
      order.push('doors');
    });
    expect(await drain([slow, step('log', () => void order.push('log'))], log)).toBe(true);
    expect(order).toEqual(['doors', 'log']);
    expect(warned).toEqual([]);
  });

  it('passes over what fails or never ends, and says so', async () => {
    const order: string[] = [];
    const { log, warned } = recorder();
    const steps = [
      step('fails', () => Promise.reject(new Error('no'))),
      step('throws', () => {
        throw new Error('no');
      }),
      step('hangs', () => new Promise(() => {})),
      step('log', () => void order.push('log')),
    ];
    expect(await drain(steps, log)).toBe(false);
    expect(order).toEqual(['log']);
    expect(warned).toEqual(['fails', 'throws', 'hangs']);
  });
});
