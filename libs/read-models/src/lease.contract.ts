import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ReadModelStore, Write } from './read-model-store.js';

const put = (key: string, value: string): Write => ({ collection: 'a', key: [key], value });

/**
 * What every store promises that several processes may open: `open` opens the same one again and again, as if from another
 * process each time; `clear` empties it.
 */
export function describeLease(name: string, open: () => Promise<ReadModelStore>, clear: () => Promise<void>): void {
  describe(`${name} of two processes`, () => {
    let opened: ReadModelStore[];

    beforeEach(async () => {
      await clear();
      opened = [];
    });

    afterEach(async () => {
      for (const store of opened) await store.close().catch(() => {});
    });

    const begin = async (): Promise<ReadModelStore> => {
      const store = await open();
      opened.push(store);
      return store;
    };

    it('are written by the one that came first, and read by both', async () => {
      const [first, second] = [await begin(), await begin()];
      expect([first.isWriter, second.isWriter]).toEqual([false, false]);
      await expect(first.write([put('k', 'none')])).rejects.toThrow();
      expect(await first.takeLease()).toBe(true);
      expect(await second.takeLease()).toBe(false);
      expect([first.isWriter, second.isWriter]).toEqual([true, false]);
      await first.write([put('k', 'one')]);
      await expect(second.write([put('k', 'two')])).rejects.toThrow();
      await expect(second.drop('a')).rejects.toThrow();
      await second.flush();
      expect(await second.get('a', ['k'])).toBe('one');
    });

    it('are taken by one of many that ask at the same time', async () => {
      const stores = await Promise.all(Array.from({ length: 4 }, begin));
      const answers = await Promise.all(stores.map((store) => store.takeLease()));
      expect(answers.filter(Boolean)).toHaveLength(1);
      expect(stores.map(({ isWriter }) => isWriter)).toEqual(answers);
    });

    it('are written by the next as soon as the first has closed them', async () => {
      const [first, second] = [await begin(), await begin()];
      await first.takeLease();
      expect(await second.takeLease()).toBe(false);
      await first.write([put('k', 'one')]);
      await first.close();
      expect(await second.takeLease()).toBe(true);
      await second.write([put('l', 'two')]);
      expect((await second.scan('a', { limit: 9 })).map(({ value }) => value)).toEqual(['one', 'two']);
    });

    it('stay with the one that writes nothing, as long as it is there', async () => {
      const [first, second] = [await begin(), await begin()];
      await first.takeLease();
      const end = performance.now() + 8000;
      while (performance.now() < end) {
        expect(await second.takeLease()).toBe(false);
        await delay(250);
      }
      await first.write([put('k', 'one')]);
    }, 30_000);
  });
}
