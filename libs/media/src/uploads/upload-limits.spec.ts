import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import type { UserId } from '#kernel/ids';
import { UploadLimits } from './upload-limits.js';

const [ALICE, BOB] = ['@alice:a.example', '@bob:a.example'] as UserId[];
const tooMuch = { errcode: 'M_USER_LIMIT_EXCEEDED', status: 403 };

let used: number;
let limits: UploadLimits;

const limitsOf = (settings: object): UploadLimits => {
  const views = { get: async () => JSON.stringify({ media: 1, bytes: used }) };
  return new UploadLimits(loadConfig({ ANNALS_SERVER_NAME: 'a.example', ...settings }), views as never);
};

beforeEach(() => {
  used = 4;
  limits = limitsOf({ ANNALS_MEDIA_QUOTA: '10' });
});

/** How much of so many bytes, which come one by one, comes through. */
async function receive(user: UserId, bytes: number, by = limits): Promise<number> {
  async function* stream(): AsyncGenerator<Uint8Array, void> {
    for (let i = 0; i < bytes; i++) {
      await nextTurn();
      yield Buffer.alloc(1);
    }
  }
  let came = 0;
  for await (const piece of by.within(user, stream())) came += piece.length;
  return came;
}

describe('what a user sends', () => {
  it('is taken up to what they may have uploaded, whatever they say of its length', async () => {
    expect(await receive(ALICE!, 6)).toBe(6);
    await expect(receive(ALICE!, 7)).rejects.toMatchObject(tooMuch);
    used = 10;
    await expect(receive(ALICE!, 1)).rejects.toMatchObject(tooMuch);
    expect(await receive(ALICE!, 0)).toBe(0);
  });

  it('is counted together however many uploads come at once, and no more once they are over', async () => {
    const all = await Promise.allSettled([receive(ALICE!, 4), receive(ALICE!, 4), receive(BOB!, 6)]);
    expect(all.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect(all[2]).toMatchObject({ value: 6 });
    expect(await receive(ALICE!, 6)).toBe(6);
  });

  it('is not counted where nobody has a quota', async () => {
    expect(await receive(ALICE!, 20, limitsOf({}))).toBe(20);
  });
});
