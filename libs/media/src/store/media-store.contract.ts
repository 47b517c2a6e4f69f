import { createHash } from 'node:crypto';
import { buffer, text } from 'node:stream/consumers';
import { beforeEach, describe, expect, it } from 'vitest';
import { type ContentHash, ContentTooLarge, type MediaStore } from './media-store.js';

const MOST = 1024 * 1024;
const hashOf = (content: string): ContentHash => createHash('sha256').update(content).digest('hex') as ContentHash;

async function* pieces(...texts: string[]): AsyncGenerator<Buffer, void> {
  for (const one of texts) yield Buffer.from(one);
}

/**
 * What every store of content promises. `open` opens the same one again and again, as if after a crash; `clear` empties it;
 * `countLeftovers` tells how many things lie about that are neither content nor made of it.
 */
export function describeMediaStore(
  name: string,
  given: { open: () => Promise<MediaStore>; clear: () => Promise<void>; countLeftovers: () => Promise<number> },
): void {
  describe(name, () => {
    let store: MediaStore;

    beforeEach(async () => {
      await given.clear();
      store = await given.open();
    });

    const keep = async (content: string): Promise<ContentHash> => {
      const received = await store.receive(pieces(content), MOST);
      await received.keep();
      await received.discard();
      return received.hash;
    };
    const listed = async (): Promise<ContentHash[]> => {
      const hashes: ContentHash[] = [];
      for await (const hash of store.list()) hashes.push(hash);
      return hashes.toSorted();
    };
    const read = async (hash: ContentHash, first?: number, last?: number): Promise<string | undefined> => {
      const range = first === undefined || last === undefined ? undefined : { first, last };
      const found = await store.open(hash, range);
      return found && text(found.stream);
    };

    it('keeps content under its sha256, and says how large it is', async () => {
      const received = await store.receive(pieces('some ', 'content'), MOST);
      expect(received).toMatchObject({ hash: hashOf('some content'), bytes: 12 });
      expect(await store.sizeOf(received.hash)).toBeUndefined();
      expect(await store.open(received.hash)).toBeUndefined();
      await received.keep();
      expect(await read(received.hash)).toBe('some content');
      expect(await store.sizeOf(received.hash)).toBe(12);
      expect((await store.open(received.hash))!.stream.destroy()).toBeDefined();
      await received.discard();
      expect(await given.countLeftovers()).toBe(0);
    });

    it('keeps content of no bytes too', async () => {
      const hash = await keep('');
      expect(await read(hash)).toBe('');
      expect(await store.sizeOf(hash)).toBe(0);
    });

    it('keeps bytes as they are', async () => {
      const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7) % 256));
      const received = await store.receive([bytes.subarray(0, 1), bytes.subarray(1)], MOST);
      await received.keep();
      expect((await buffer((await store.open(received.hash))!.stream)).equals(bytes)).toBe(true);
    });

    it('reads a range, from the first to the last byte', async () => {
      const hash = await keep('0123456789');
      expect(await read(hash, 0, 0)).toBe('0');
      expect(await read(hash, 3, 5)).toBe('345');
      expect(await read(hash, 0, 9)).toBe('0123456789');
      const opened = (await store.open(hash, { first: 9, last: 9 }))!;
      expect(opened.bytes).toBe(10);
      expect(await text(opened.stream)).toBe('9');
    });

    it('keeps the same content once, whoever brings it', async () => {
      const first = await keep('twice');
      const [second, third] = await Promise.all([
        store.receive(pieces('tw', 'ice'), MOST),
        store.receive(pieces('twice'), MOST),
      ]);
      await Promise.all([second.keep(), third.keep()]);
      await Promise.all([second.discard(), third.discard()]);
      expect(second.hash).toBe(first);
      expect(await listed()).toEqual([first]);
      expect(await given.countLeftovers()).toBe(0);
      expect(await read(first)).toBe('twice');
    });

    it('says how much all has that was made of content', async () => {
      const hash = await keep('a picture');
      expect(await store.sizeOfDerived(hash)).toBe(0);
      await store.keepDerived(hash, 'small.png', Buffer.from('12345'));
      await store.keepDerived(hash, 'large.png', Buffer.from('1234567'));
      await store.keepDerived(await keep('another'), 'small.png', Buffer.from('1'));
      expect(await store.sizeOfDerived(hash)).toBe(12);
    });

    it('keeps content again where somebody freed it meanwhile, until it is discarded', async () => {
      const received = await store.receive(pieces('freed'), MOST);
      await received.keep();
      const other = await given.open();
      expect(await other.delete(received.hash)).toBe(true);
      expect(await store.sizeOf(received.hash)).toBeUndefined();
      await received.keep();
      await received.keep();
      await received.discard();
      expect(await read(received.hash)).toBe('freed');
      expect(await given.countLeftovers()).toBe(0);
    });

    it('leaves nothing of what is discarded, and lets what is kept be', async () => {
      const received = await store.receive(pieces('unwanted'), MOST);
      await received.discard();
      expect(await given.countLeftovers()).toBe(0);
      expect(await listed()).toEqual([]);
      const kept = await store.receive(pieces('wanted'), MOST);
      await kept.keep();
      await kept.discard();
      expect(await read(kept.hash)).toBe('wanted');
    });

    it('leaves nothing of what ends halfway, and throws what it ended with', async () => {
      async function* broken(): AsyncGenerator<Buffer, void> {
        yield Buffer.from('half');
        throw new Error('gone');
      }
      await expect(store.receive(broken(), MOST)).rejects.toThrow('gone');
      expect(await given.countLeftovers()).toBe(0);
      expect(await listed()).toEqual([]);
    });

    it('takes as many bytes as it may and not one more, and then reads no further', async () => {
      let asked = 0;
      async function* endless(): AsyncGenerator<Buffer, void> {
        for (;;) {
          asked++;
          yield Buffer.alloc(1000);
        }
      }
      await expect(store.receive(endless(), 5000)).rejects.toBeInstanceOf(ContentTooLarge);
      expect(asked).toBe(6);
      expect(await given.countLeftovers()).toBe(0);
      await (await store.receive(pieces('12345'), 5)).discard();
    });

    it('frees content with all that was made of it', async () => {
      const hash = await keep('picture');
      await store.keepDerived(hash, '96x96-crop', Buffer.from('small'));
      await store.keepDerived(hash, '320x240-scale', Buffer.from('larger'));
      expect(await store.delete(hash)).toBe(true);
      expect(await store.open(hash)).toBeUndefined();
      expect(await store.openDerived(hash, '96x96-crop')).toBeUndefined();
      expect(await listed()).toEqual([]);
      expect(await store.delete(hash)).toBe(false);
      expect(await given.countLeftovers()).toBe(0);
    });

    it('goes on reading what was opened before it was freed', async () => {
      const hash = await keep('read on');
      const { stream } = (await store.open(hash))!;
      await store.delete(hash);
      expect(await text(stream)).toBe('read on');
    });

    it('keeps what was made of content, replaces it, and does not take it for content', async () => {
      const hash = await keep('picture');
      await store.keepDerived(hash, '96x96-crop', Buffer.from('old'));
      await store.keepDerived(hash, '96x96-crop', Buffer.from('newer'));
      const derived = (await store.openDerived(hash, '96x96-crop'))!;
      expect(derived.bytes).toBe(5);
      expect(await text(derived.stream)).toBe('newer');
      expect(await store.openDerived(hash, '32x32-crop')).toBeUndefined();
      expect(await listed()).toEqual([hash]);
    });

    it('tells of what was made of content that is gone, so that somebody can free it', async () => {
      const hash = hashOf('gone');
      await store.keepDerived(hash, '96x96-crop', Buffer.from('left'));
      expect(await listed()).toEqual([hash]);
      expect(await store.delete(hash)).toBe(true);
      expect(await listed()).toEqual([]);
    });

    it('refuses a name that leads elsewhere, and what is no hash', async () => {
      const hash = await keep('picture');
      for (const bad of ['', '..', '../x', 'a/b', '.hidden', 'a\0b']) {
        await expect(async () => store.keepDerived(hash, bad, Buffer.from('x'))).rejects.toBeInstanceOf(RangeError);
      }
      await expect(async () => store.open('../../etc/passwd' as ContentHash)).rejects.toBeInstanceOf(RangeError);
      await expect(async () => store.delete('..' as ContentHash)).rejects.toBeInstanceOf(RangeError);
    });

    it('lists all content', async () => {
      const hashes = await Promise.all(Array.from({ length: 40 }, (_, i) => keep(`content ${i}`)));
      expect(await listed()).toEqual(hashes.toSorted());
    });

    it('has after a crash what was kept, and lets go of what was only received', async () => {
      const hash = await keep('kept');
      await store.receive(pieces('received'), MOST);
      const again = await given.open();
      await again.discardLeftovers();
      expect(await given.countLeftovers()).toBe(0);
      expect(await again.sizeOf(hash)).toBe(4);
      const more = await again.receive(pieces('more'), MOST);
      await more.keep();
      await more.discard();
      expect((await listed()).length).toBe(2);
    });
  });
}
