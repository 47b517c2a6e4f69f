import { describe, expect, it } from 'vitest';
import { EventStoreUnavailable } from '../event-store-errors.js';
import { errorKind, isTransient, Patience, wordsOf } from './transient.js';

const unavailable = Object.assign(new Error('gone'), { type: 'unavailable' });

describe('isTransient', () => {
  it('knows the errors that may pass', () => {
    expect(isTransient(unavailable)).toBe(true);
    expect(isTransient(Object.assign(new Error('grpc'), { code: 14 }))).toBe(true);
    expect(isTransient(Object.assign(new Error('no'), { type: 'access-denied', code: 7 }))).toBe(false);
    expect(isTransient(new TypeError('ours'))).toBe(false);
    expect(isTransient('unavailable')).toBe(false);
    expect(errorKind(unavailable)).toBe('unavailable');
  });
});

describe('Patience', () => {
  const never = new AbortController().signal;

  it('throws at once what will not pass', async () => {
    await expect(new Patience(1000, never).endure(new TypeError('ours'))).rejects.toThrow('ours');
    await expect(new Patience(1000, AbortSignal.abort()).endure(unavailable)).rejects.toThrow('gone');
  });

  it('ends when nothing has gone well for too long', async () => {
    const patience = new Patience(500, never);
    await patience.endure(unavailable);
    expect(patience.failures).toBe(1);
    patience.renew();
    expect([patience.failures, patience.leftMs > 50]).toEqual([0, true]);
    const enduring = async (): Promise<void> => {
      for (;;) await patience.endure(unavailable);
    };
    const error = await enduring().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(EventStoreUnavailable);
    expect(error).toMatchObject({ message: 'gone', cause: unavailable });
  });
});

describe('the words for a failure', () => {
  it('are those of the error, or its kind where it has none', () => {
    expect(wordsOf(unavailable)).toBe('gone');
    expect(wordsOf(Object.assign(new Error('UnavailableError: UnavailableError'), { type: 'unavailable' }))).toBe(
      'unavailable',
    );
    expect(wordsOf('odd')).toBe('odd');
  });
});
