import { beforeEach, describe, expect, test } from 'vitest';
import { Typing } from '#ephemeral/typing/typing';
import { NO_TYPING } from '#ephemeral/typing/typing-mark';
import { nameLog, noteRestored } from '#event-store/log-identity';
import { sealFacts } from '#event-store/seal-facts';
import { systemClock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { MemoryEventStore } from '#testing/memory-event-store';
import { Restorations } from './restorations.js';
import { findStreamToken, formatStreamToken, type StreamToken } from './stream-token.js';

let streams = 0;

/** Appends so many facts and answers where the last one stands: positions are counted, and do not leap. */
async function grow(store: MemoryEventStore, count: number): Promise<Position> {
  const drafts = Array.from({ length: count }, (_, i) => ({
    id: `00000000-0000-4000-8000-${String(++streams * 1000 + i).padStart(12, '0')}`,
    type: 'said',
    data: '{}',
    at: 1,
    actor: 'server',
  }));
  return (await store.append(`s-${streams}`, 'no-stream', sealFacts(undefined, drafts))).position;
}

/** The log of a server that has been put back to where its first facts ended. */
async function begin(): Promise<MemoryEventStore> {
  const store = new MemoryEventStore();
  await nameLog(store, systemClock, 'a.example' as ServerName, { key_id: 'ed25519:a', public_key: 'AAAA' });
  await grow(store, 4);
  return store;
}

/** What a start knows of the log, and a token that a client is given by it. */
async function start(store: MemoryEventStore): Promise<{ rebase: (text: string) => StreamToken; token: string }> {
  const typing = new Typing();
  const restorations = new Restorations(store, typing);
  await restorations.onModuleInit();
  const token = formatStreamToken({ position: await store.head(), typing: restorations.mark(() => false) });
  return { token, rebase: (text) => restorations.rebase(findStreamToken(text)!) };
}

describe('a token of what a log has lost', () => {
  let agreed: Position;
  let lost: string;
  let earlier: string;
  let store: MemoryEventStore;

  beforeEach(async () => {
    const before = await begin();
    agreed = await before.head();
    earlier = (await start(before)).token;
    await grow(before, 3);
    lost = (await start(before)).token;
    store = await begin();
    await noteRestored(store, systemClock);
  });

  test('passes over nothing that takes its place, also once the log has grown past it', async () => {
    await grow(store, 50);
    const { rebase } = await start(store);
    expect(findStreamToken(lost)!.position > agreed).toBe(true);
    expect(rebase(lost).position).toBe(agreed);
  });

  test('is believed as far as both histories are the same', async () => {
    const { rebase } = await start(store);
    expect(rebase(earlier).position).toBe(findStreamToken(earlier)!.position);
  });

  test('leads to tokens that are of the log as it is now', async () => {
    const here = await grow(store, 50);
    const { rebase, token } = await start(store);
    expect(rebase(token)).toEqual(findStreamToken(token));
    const page = formatStreamToken({ ...rebase(lost), position: here });
    expect(rebase(page).position).toBe(here);
  });

  test('of two lost histories is taken back to where all are the same', async () => {
    await grow(store, 5);
    const second = (await start(store)).token;
    await noteRestored(store, systemClock, agreed);
    await grow(store, 50);
    const { rebase } = await start(store);
    for (const text of [lost, second]) expect(rebase(text).position).toBe(agreed);
  });

  test('without a run is left alone: nobody knows of which history it is', async () => {
    const { rebase } = await start(store);
    const token = { position: '0000000000000000099' as Position, typing: NO_TYPING };
    expect(rebase(formatStreamToken(token))).toEqual(token);
  });
});

test('tokens of a log that was never put back stay as they are', async () => {
  const store = await begin();
  const { rebase, token } = await start(store);
  expect(token).toMatch(/^s5_00[0-9a-f]{6}\.0$/);
  expect(rebase(token)).toEqual(findStreamToken(token));
});
