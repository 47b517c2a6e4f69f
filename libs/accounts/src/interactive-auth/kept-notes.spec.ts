import { describe, expect, it, vi } from 'vitest';
import { AUTH_NOTES_STREAM } from '../facts/auth-note-facts.js';
import { MemoryEventStore } from '#testing/memory-event-store';
import { KeptNotes } from './kept-notes.js';

const NOW = 1_795_866_360_500;
const LATER = NOW + 60_000;

describe('notes that many make at once', () => {
  const clock = { now: () => NOW };
  const make = (most = 2_000) => {
    const store = new MemoryEventStore();
    const appending = vi.spyOn(store, 'append');
    const notes = new KeptNotes(store, clock, { stream: AUTH_NOTES_STREAM, most });
    return { store, notes, appending };
  };

  it('are written together while a write is under way', async () => {
    const { notes, appending, store } = make();
    const used = await Promise.all(Array.from({ length: 400 }, (_, n) => notes.useOnce(`token ${n}`, LATER)));
    expect(used).toEqual(used.map(() => true));
    expect(appending.mock.calls.length).toBeLessThanOrEqual(2);
    const anew = new KeptNotes(store, clock, { stream: AUTH_NOTES_STREAM, most: 2_000 });
    expect(await anew.find('token 399')).toBe('used');
    expect(await anew.useOnce('token 399', LATER)).toBe(false);
  });

  it('are decided each upon those before: of two who use one it is one, and there is room for so many', async () => {
    const { notes } = make(3);
    await notes.useOnce('warm', LATER);
    const [once, again] = await Promise.all([notes.useOnce('same', LATER), notes.useOnce('same', LATER)]);
    expect([once, again]).toEqual([true, false]);
    const kept = await Promise.all(['a', 'b', 'c', 'd'].map((name) => notes.keep(name, { name }, LATER)));
    expect(kept).toEqual([true, true, true, false]);
    const [first, second] = (await Promise.all(['a', 'b'].map((name) => notes.find(name)))) as { revision: number }[];
    expect(second!.revision).toBe(first!.revision + 1);
    expect(await notes.keep('b', { name: 'anew' }, LATER, { instead: second!.revision })).toBe(true);
    expect(await Promise.all([notes.use('a'), notes.use('a')])).toEqual([true, false]);
  });

  it('that are long go into several writes', async () => {
    const { notes, appending } = make();
    const text = 'x'.repeat(30_000);
    const kept = await Promise.all(Array.from({ length: 12 }, (_, n) => notes.keep(`long ${n}`, { text }, LATER)));
    expect(kept).toEqual(kept.map(() => true));
    for (const [, , facts] of appending.mock.calls) expect(facts.length).toBeLessThan(6);
  });

  it('fail together where the log is away, and then go on', async () => {
    const { notes, appending } = make();
    appending.mockRejectedValueOnce(new Error('away'));
    const first = await Promise.allSettled([notes.useOnce('a', LATER), notes.useOnce('b', LATER)]);
    expect(first.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await notes.useOnce('a', LATER)).toBe(true);
  });
});
