import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ServerSilent, untilSilent } from './until-silent.js';

const MS = 50;
const isThere = async (): Promise<void> => {};

describe('a reading', () => {
  it('is given up when its next message does not come', async () => {
    await expect(all(untilSilent(silentAfter('a'), MS))).rejects.toThrow(ServerSilent);
  });

  it('is waited for while the server searches, and answers others', async () => {
    const reading = untilSilent(after(MS * 3, 'a'), MS, { isThere, mostMs: MS * 100 });
    expect(await all(reading)).toEqual(['a']);
  });

  it('is given up in the end also where the server answers others: it may have lost this one', async () => {
    await expect(all(untilSilent(silentAfter('a'), MS, { isThere, mostMs: MS * 3 }))).rejects.toThrow(ServerSilent);
  });

  it('is given up at once where the server answers nobody', async () => {
    const isAway = (): Promise<never> => Promise.reject(new Error('away'));
    const reading = untilSilent(silentAfter('a'), MS, { isThere: isAway, mostMs: 2 ** 30 });
    await expect(all(reading)).rejects.toThrow(ServerSilent);
  });
});

async function* silentAfter(message: string): AsyncGenerator<string> {
  yield message;
  await new Promise(() => {});
}

async function* after(ms: number, message: string): AsyncGenerator<string> {
  await delay(ms);
  yield message;
}

async function all(messages: AsyncIterable<string>): Promise<string[]> {
  const taken: string[] = [];
  for await (const message of messages) taken.push(message);
  return taken;
}
