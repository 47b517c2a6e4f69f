import { describe, expect, it } from 'vitest';
import type { DeviceId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { TransactionAnswers } from './transaction-answers.js';

const ALICE: Requester = { userId: '@alice:x' as UserId, deviceId: 'D' as DeviceId, isAdmin: false, requestId: 'r' };

/** Asks under a transaction id, and whether that ran anything. */
async function asked(answers: TransactionAnswers, txnId: string, characters = 1): Promise<boolean> {
  let hasRun = false;
  await answers.once(ALICE, 'path', txnId, () => {
    hasRun = true;
    return Promise.resolve({ answer: 'x'.repeat(characters) });
  });
  return hasRun;
}

describe('answers to requests under transaction ids', () => {
  it('are given again to the same request, and none is to one that failed', async () => {
    const answers = new TransactionAnswers();
    expect(await asked(answers, 'a')).toBe(true);
    expect(await asked(answers, 'a')).toBe(false);
    expect(await asked(answers, 'b')).toBe(true);
    await expect(answers.once(ALICE, 'path', 'c', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await asked(answers, 'c')).toBe(true);
  });

  it('are kept as far as there is room for what they say, those that were asked for last', async () => {
    const answers = new TransactionAnswers();
    for (let n = 0; n < 100; n++) await asked(answers, `${n}`, 200_000);
    expect(answers.numbers.size).toBeLessThan(90);
    expect(await asked(answers, '99')).toBe(false);
    expect(await asked(answers, '0')).toBe(true);
  });

  it('take no place of others where they are very long', async () => {
    const answers = new TransactionAnswers();
    await asked(answers, 'short');
    await asked(answers, 'long', 1_000_000);
    expect(answers.numbers.size).toBe(1);
    expect(await asked(answers, 'short')).toBe(false);
  });
});
