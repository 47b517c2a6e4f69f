import { type Collection, type Db, MongoServerError } from 'mongodb';
import { ViewsGone } from '../read-model-errors.js';
import { DUPLICATE_KEY, type Journal, JOURNAL_COLLECTION } from './journal.js';
import { partsOf, type RowDocument } from './large-values.js';
import { lifeOf, plainName } from './life-names.js';
import type { RenewedClient } from './renewed-client.js';

/** Which views they are of follows: of those that were thrown away, somebody may note some who does not know that yet. */
const ID = 'collections ';
const OF_ANY = /^collections /;

/** Collections by their names, each with the id that the server gave it when it was made; '' where it gives none. */
type Made = ReadonlyMap<string, string>;

/**
 * Which collections have been made for rows, noted beside the journal. One that is gone lacks rows, and so does one that somebody
 * dropped and the next write made anew: and rows that are not there look like users and rooms that never were.
 */
export class KnownCollections {
  readonly #documents: Collection<RowDocument>;
  /** What rows were written to here: what else stands in the database is not ours. */
  readonly #written = new Set<string>();
  #known: Made = new Map();
  /** How many drops have begun or ended here: what was listed before may name what is dropped. */
  #drops = 0;
  /** One note after another. */
  #noting = Promise.resolve();
  /** Whether the server has taken the last of them, as far as that has been heard. */
  #isNoted = true;
  /** Those of views that are no more, as they were listed last. */
  strays: readonly string[] = [];

  /** `journal`: tells which views they are, and the number of the group noted last, by which what a former owner writes late is told. */
  constructor(
    private readonly database: Db,
    private readonly journal: Pick<Journal, 'groups' | 'life' | 'check'>,
    private readonly client: Pick<RenewedClient, 'unlessRenewed'>,
  ) {
    this.#documents = database.collection<RowDocument>(JOURNAL_COLLECTION);
  }

  /** For who does not have the lease. Throws ViewsGone where one is not as it was noted last. */
  async check(): Promise<void> {
    const noted = await this.#findNoted();
    const there = await this.#list();
    if (lostOf(noted, noted, there) === undefined) return;
    // Who has the lease may have dropped it itself meanwhile, and has noted so before.
    const lost = lostOf(noted, await this.#findNoted(), there);
    if (lost !== undefined) throw new ViewsGone(dropped(lost));
  }

  /**
   * For who has taken the lease: takes up what the process before has noted, and drops what was noted of views that are no more. Where
   * one is not as it was noted, answers that.
   */
  async take(): Promise<string | undefined> {
    // First of all: from then on the process before notes nothing more.
    await this.#write({ $set: { n: this.journal.groups } });
    const [noted, there] = [await this.#findNoted(), await this.#list()];
    await this.#dropNotedOfOthers(there);
    const lost = lostOf(noted, noted, there);
    this.#known = noted;
    return lost === undefined ? undefined : dropped(lost);
  }

  /** Names of another version bear no life. */
  async #dropNotedOfOthers(there: Made): Promise<void> {
    const ofOthers = { _id: { $regex: OF_ANY, $ne: this.#id } };
    const notes = await this.#documents.find(ofOthers).toArray();
    const names = notes.flatMap((note) => [...madeIn(note).keys()]);
    const strays = names.filter((name) => there.has(name) && lifeOf(name) !== this.journal.life);
    // Else they may be those of views that somebody has begun since.
    if (strays.length > 0) await this.journal.check();
    await this.dropStrays(strays);
    await this.#documents.deleteMany(ofOthers);
  }

  /** Drops collections of views that are no more. */
  async dropStrays(names: readonly string[]): Promise<void> {
    for (const name of names) await this.database.collection(name).drop();
  }

  /** Rows were written to them. */
  wrote(collections: Iterable<string>): void {
    for (const name of collections) this.#written.add(name);
  }

  /**
   * For who has the lease. Throws ViewsGone where one is not as this process saw it. Notes what has been made, and does not wait for
   * that: the server may take nothing to be written.
   */
  async look(): Promise<void> {
    // Before the list is asked for: another look may come to know more meanwhile.
    const [known, drops] = [this.#known, this.#drops];
    const there = await this.#list();
    this.strays = [...there.keys()].filter((name) => ![undefined, this.journal.life].includes(lifeOf(name)));
    const lost = lostOf(known, this.#known, there);
    if (lost !== undefined) throw new ViewsGone(dropped(lost));
    if (drops !== this.#drops) return;
    const made = [...there].filter(([name]) => !this.#known.has(name) && this.#written.has(partsOf(name) ?? name));
    if (made.length > 0 || !this.#isNoted) void this.#note(new Map([...this.#known, ...made])).catch(() => {});
  }

  /** Runs what drops one, with its parts: nobody misses it from the beginning of that on. */
  async dropping(collection: string, drop: () => Promise<void>): Promise<void> {
    this.#drops++;
    this.#written.delete(collection);
    const kept = [...this.#known].filter(([name]) => (partsOf(name) ?? name) !== collection);
    if (kept.length < this.#known.size) await this.#note(new Map(kept));
    try {
      await drop();
    } finally {
      this.#drops++;
    }
  }

  #note(made: Made): Promise<void> {
    this.#known = made;
    this.#isNoted = true;
    const noted = this.#noting.then(() =>
      this.client.unlessRenewed(this.#write({ $set: { v: JSON.stringify([...this.#known]), n: this.journal.groups } })),
    );
    this.#noting = noted.catch(() => void (this.#isNoted = false));
    return noted;
  }

  get #id(): string {
    return ID + (this.journal.life ?? '');
  }

  /** As rows are written (`write-rows.ts`): not over what somebody wrote who took the lease later. */
  async #write(update: { readonly $set: { readonly v?: string; readonly n: number } }): Promise<void> {
    try {
      await this.#documents.updateOne({ _id: this.#id, n: { $not: { $gt: update.$set.n } } }, update, { upsert: true });
    } catch (error) {
      // They have: the journal says so to whoever asks.
      if (!(error instanceof MongoServerError && error.code === DUPLICATE_KEY)) throw error;
    }
  }

  async #findNoted(): Promise<Made> {
    return madeIn(await this.#documents.findOne({ _id: this.#id }));
  }

  async #list(): Promise<Made> {
    const infos = await this.database.listCollections({}, { nameOnly: false }).toArray();
    return new Map(infos.map(({ name, info }) => [name, info?.uuid?.toString('hex') ?? '']));
  }
}

/** What a note holds. */
function madeIn(note: RowDocument | null): Made {
  // Written by `#note` and by nobody else.
  return new Map(JSON.parse(note?.v ?? '[]') as [string, string][]);
}

/** One of those known before that is known to this day and is not there. */
function lostOf(known: Made, today: Made, there: Made): string | undefined {
  for (const [name, id] of known) if (today.get(name) === id && there.get(name) !== id) return name;
  return undefined;
}

function dropped(collection: string): string {
  return `the collection ${plainName(collection)} of the views was dropped or put back`;
}
