import { describe, expect, it } from 'vitest';
import { errorKind, isTransient, Patience } from './transient.js';

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

  it('ends when failures in a row have lasted too long', async () => {
    const patience = new Patience(1, never);
    await patience.endure(unavailable);
    await expect(patience.endure(unavailable)).rejects.toThrow('gone');
    patience.renew();
    await patience.endure(unavailable);
  });
});
