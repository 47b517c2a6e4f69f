import type { Collection, Db } from 'mongodb';
import { ViewsGone } from '../read-model-errors.js';
import { JOURNAL_COLLECTION } from './journal.js';
import { partsOf, type RowDocument } from './large-values.js';

const ID = 'collections';

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
  /** How many were dropped here: what was listed before may name them still. */
  #drops = 0;
  /** One note after another. */
  #noting = Promise.resolve();

  constructor(private readonly database: Db) {
    this.#documents = database.collection<RowDocument>(JOURNAL_COLLECTION);
  }

  /** For who does not have the lease. Throws ViewsGone where one is not as it was noted last. */
  async check(): Promise<void> {
    const lost = lostOf(await this.#findNoted(), await this.#list());
    if (lost !== undefined) throw new ViewsGone(dropped(lost));
  }

  /** Takes up what the process before has noted. */
  async take(): Promise<void> {
    this.#known = await this.#findNoted();
  }

  /** Drops all that were noted where one of them is not as it was then; answers why. */
  async throwAwayIfLost(): Promise<string | undefined> {
    const [noted, there] = [await this.#findNoted(), await this.#list()];
    const lost = lostOf(noted, there);
    if (lost === undefined) return undefined;
    for (const name of noted.keys()) if (there.has(name)) await this.database.collection(name).drop();
    await this.#note(new Map());
    return dropped(lost);
  }

  /** Rows were written to them. */
  wrote(collections: Iterable<string>): void {
    for (const name of collections) this.#written.add(name);
  }

  /** For who has the lease. Notes what has been made; throws ViewsGone where one is not as this process saw it. */
  async look(): Promise<void> {
    const drops = this.#drops;
    const all = await this.#list();
    if (drops !== this.#drops) return;
    const lost = lostOf(this.#known, all);
    if (lost !== undefined) throw new ViewsGone(dropped(lost));
    const ours = new Map(
      [...all].filter(([name]) => this.#known.has(name) || this.#written.has(partsOf(name) ?? name)),
    );
    if (ours.size > this.#known.size) await this.#note(ours);
  }

  /** Before one is dropped here, with its parts: nobody misses it from then on. */
  async forget(collection: string): Promise<void> {
    this.#drops++;
    this.#written.delete(collection);
    const kept = [...this.#known].filter(([name]) => (partsOf(name) ?? name) !== collection);
    if (kept.length < this.#known.size) await this.#note(new Map(kept));
  }

  async #note(made: Made): Promise<void> {
    this.#known = made;
    const write = async (): Promise<void> => {
      await this.#documents.replaceOne({ _id: ID }, { v: JSON.stringify([...this.#known]) }, { upsert: true });
    };
    const noted = this.#noting.then(write);
    this.#noting = noted.catch(() => {});
    await noted;
  }

  async #findNoted(): Promise<Made> {
    const found = await this.#documents.findOne({ _id: ID });
    // Written by `#note` and by nobody else.
    return new Map(JSON.parse(found?.v ?? '[]') as [string, string][]);
  }

  async #list(): Promise<Made> {
    const infos = await this.database.listCollections({}, { nameOnly: false }).toArray();
    return new Map(infos.map(({ name, info }) => [name, info?.uuid?.toString('hex') ?? '']));
  }
}

function lostOf(known: Made, there: Made): string | undefined {
  for (const [name, id] of known) if (there.get(name) !== id) return name;
  return undefined;
}

function dropped(collection: string): string {
  return `the collection ${collection} of the views was dropped`;
}
