import type { Db } from 'mongodb';
import { beforeEach, describe, expect, it } from 'vitest';
import { ViewsGone, ViewsTaken } from '../read-model-errors.js';
import { KnownCollections } from './known-collections.js';
import { nameIn, newLife } from './life-names.js';

interface Noted {
  readonly v?: string;
  readonly n: number;
}

/** A database as far as it is asked here. An answer of it may be on its way for as long as a test likes. */
class FakeDatabase {
  readonly made = new Map<string, string>();
  readonly #noted = new Map<string, Noted>();
  #ids = 0;
  /** Of what the next answer waits for `arrive`. */
  late: 'list' | 'note' | undefined;
  /** Whether it takes nothing that is written. */
  refuses = false;
  readonly #arrivals: (() => void)[] = [];

  /** Whose notes there are. */
  get notes(): string[] {
    return [...this.#noted.keys()];
  }

  make(name: string): void {
    this.made.set(name, `${++this.#ids}`);
  }

  /** Lets the answers arrive that wait. */
  async arrive(): Promise<void> {
    for (const arrival of this.#arrivals.splice(0)) arrival();
    await settled();
  }

  listCollections(): { toArray(): Promise<unknown[]> } {
    const answer = [...this.made].map(([name, id]) => ({ name, info: { uuid: { toString: () => id } } }));
    return { toArray: () => this.#answer('list', answer) };
  }

  collection(name: string): object {
    return {
      drop: async () => this.made.delete(name),
      find: ({ _id }: { _id: { $ne: string } }) => ({
        toArray: async () => [...this.#noted].filter(([id]) => id !== _id.$ne).map(([, noted]) => noted),
      }),
      findOne: ({ _id }: { _id: string }) => this.#answer('note', { ...this.#noted.get(_id) }),
      updateOne: async ({ _id }: { _id: string }, { $set }: { $set: Noted }) => {
        if (this.refuses) throw new Error('it takes nothing');
        const noted = this.#noted.get(_id);
        if ((noted?.n ?? 0) <= $set.n) this.#noted.set(_id, { ...noted, ...$set });
      },
      deleteMany: async ({ _id }: { _id: { $ne: string } }) => {
        for (const id of this.#noted.keys()) if (id !== _id.$ne) this.#noted.delete(id);
      },
    };
  }

  async #answer<T>(what: 'list' | 'note', answer: T): Promise<T> {
    if (this.late === what) {
      this.late = undefined;
      await new Promise<void>((resolve) => this.#arrivals.push(resolve));
    }
    return answer;
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

describe('known collections', () => {
  let database: FakeDatabase;
  let owner: KnownCollections;

  const known = (groups: number, life = 'first', check = async (): Promise<void> => {}): KnownCollections =>
    new KnownCollections(database as unknown as Db, { groups, life, check }, { unlessRenewed: (work) => work });

  beforeEach(async () => {
    database = new FakeDatabase();
    owner = known(1);
    expect(await owner.take()).toBeUndefined();
    database.make('a');
    owner.wrote(['a', 'b']);
    await owner.look();
  });

  it('are not missed by a look whose answer arrives after that of a later one', async () => {
    database.late = 'list';
    const early = owner.look();
    await settled();
    database.make('b');
    await owner.look();
    await database.arrive();
    await early;
    database.made.delete('b');
    await expect(owner.look()).rejects.toThrow(ViewsGone);
  });

  it('are not taken for what bore their name before they were dropped and made anew here', async () => {
    let look: Promise<void> | undefined;
    await owner.dropping('a', async () => {
      database.late = 'list';
      look = owner.look();
      await settled();
      database.made.delete('a');
    });
    database.make('a');
    owner.wrote(['a']);
    await database.arrive();
    await look;
    await owner.look();
    await owner.look();
  });

  it('are missed by nobody who asks while the one that has the lease drops them', async () => {
    database.late = 'note';
    const asked = known(1).check();
    await owner.dropping('a', async () => void database.made.delete('a'));
    await database.arrive();
    await asked;
  });

  it('are noted no more by a process that has lost the lease', async () => {
    database.make('b');
    database.late = 'list';
    const late = owner.look();
    await settled();
    const next = known(2);
    expect(await next.take()).toBeUndefined();
    await next.dropping('a', async () => void database.made.delete('a'));
    await database.arrive();
    await late;
    expect(await known(3).take()).toBeUndefined();
  });

  it('are not those that a process notes which does not know yet that its views were thrown away: these are dropped', async () => {
    const [first, second] = [newLife(), newLife()];
    owner = known(5, first);
    await owner.take();
    database.make(nameIn(first, 'b'));
    database.make('of another version');
    database.late = 'list';
    owner.wrote([nameIn(first, 'b'), 'of another version']);
    const late = owner.look();
    await settled();
    database.made.clear();
    const next = known(1, second);
    expect(await next.take()).toBeUndefined();
    database.make(nameIn(second, 'a'));
    next.wrote([nameIn(second, 'a')]);
    await next.look();
    // What that process had begun arrives, too.
    for (const name of [nameIn(first, 'a'), nameIn(first, 'b'), 'of another version', 'another']) database.make(name);
    await database.arrive();
    await late.catch(() => {});
    await owner.look().catch(() => {});
    await known(1, second).check();
    expect(await known(2, second).take()).toBeUndefined();
    expect([...database.made.keys()]).toEqual([nameIn(second, 'a'), nameIn(first, 'a'), 'another']);
    await next.look();
    expect(next.strays).toEqual([nameIn(first, 'a')]);
  });

  it('are dropped with views that are no more by who has the lease alone, who leaves no note of them', async () => {
    const [first, second] = [newLife(), newLife()];
    const before = known(1, first);
    await before.take();
    database.make(nameIn(first, 'a'));
    before.wrote([nameIn(first, 'a')]);
    await before.look();
    await settled();
    const taken = known(2, second, () => Promise.reject(new ViewsTaken()));
    await expect(taken.take()).rejects.toThrow(ViewsTaken);
    expect([...database.made.keys()]).toEqual([nameIn(first, 'a')]);
    await known(3, second).take();
    expect([...database.made.keys()]).toEqual([]);
    expect(database.notes).toEqual([`collections ${second}`]);
  });

  it('are noted by the next look where the server did not take the note', async () => {
    database.refuses = true;
    database.make('b');
    await owner.look();
    await settled();
    database.refuses = false;
    await owner.look();
    database.made.delete('b');
    await expect(known(1).check()).rejects.toThrow('collection b of the views');
  });

  it('are missed by the next process where one of them is gone, and dropped once it begins anew', async () => {
    database.make('b');
    database.make('another');
    await owner.look();
    database.made.delete('a');
    await expect(known(1).check()).rejects.toThrow('collection a of the views was dropped');
    expect(await known(2).take()).toContain('collection a of the views was dropped');
    expect(await known(3, newLife()).take()).toBeUndefined();
    expect([...database.made.keys()]).toEqual(['another']);
  });
});
