import { randomUUID } from 'node:crypto';
import type { Collection, Db } from 'mongodb';
import { ViewsGone, ViewsTaken } from '../read-model-errors.js';
import type { LargeValues, RowDocument, RowFields } from './large-values.js';

/** A row and what it holds from now on: null for nothing. */
export type RowChange = readonly [id: string, fields: RowFields | null];

/** What is written at one time, by collection. */
export type RowGroup = ReadonlyMap<string, readonly RowChange[]>;

export const NOTHING: RowGroup = new Map();
/** Holds one document and no rows; its parts are in a collection beside it, as those of a row. */
export const JOURNAL_COLLECTION = 'annals.journal';
const ID = 'journal';

interface JournalState {
  /** Who writes to these views. */
  readonly owner?: string;
  /** How many groups were noted since the views began. */
  readonly groups?: number;
}

type JournalDocument = RowDocument & JournalState;

/**
 * What makes one write of a group of rows, where the server has no transactions: the group is noted here before its first
 * row is written, and whoever opens the views after a crash writes it once more. One document holds the last group alone, for
 * a group is noted only when all rows of the one before are there.
 *
 * It also says whose turn it is to write, and how far the server has come: one that lost writes it had acknowledged (it was
 * killed before they were on its disk, or another member of its replica set took over) is found out at the next group or
 * `check`.
 */
export class Journal {
  readonly #owner = randomUUID();
  readonly #documents: Collection<JournalDocument>;
  readonly #large: LargeValues;
  #groups = 0;
  #noted: RowFields[] = [];
  #collections: ReadonlySet<string> = new Set();

  constructor(database: Db, large: LargeValues) {
    this.#documents = database.collection<JournalDocument>(JOURNAL_COLLECTION);
    this.#large = large;
  }

  /** Takes the views over from whoever wrote to them before. Answers the group that they may have left half written. */
  async takeOver(): Promise<RowGroup> {
    await this.#documents.updateOne(
      { _id: ID },
      { $set: { owner: this.#owner }, $setOnInsert: { groups: 0 } },
      { upsert: true },
    );
    const found = await this.#documents.findOne({ _id: ID });
    this.#groups = found?.groups ?? 0;
    const text = found === null ? '' : await this.#large.valueOf(JOURNAL_COLLECTION, found);
    if (found?.large !== undefined) this.#noted = [found];
    // Written by `note` and by nobody else.
    return text ? new Map(JSON.parse(text) as [string, RowChange[]][]) : NOTHING;
  }

  /** Whether the group noted last has rows in a collection: then it would come back after a crash. */
  holds(collection: string): boolean {
    return this.#collections.has(collection);
  }

  /**
   * Notes a group in place of the one before; `isDurable` waits until the journals of the majority have it, and with it all
   * that was written earlier. Throws ViewsGone where the server does not have the one before.
   */
  async note(group: RowGroup, isDurable = false): Promise<void> {
    const fields = await this.#large.fieldsOf(JOURNAL_COLLECTION, JSON.stringify([...group]));
    const { matchedCount } = await this.#documents.replaceOne(
      // Also the number after: the outcome of the last try may not be known.
      { _id: ID, owner: this.#owner, groups: { $in: [this.#groups, this.#groups + 1] } },
      { ...fields, owner: this.#owner, groups: this.#groups + 1 },
      { writeConcern: isDurable ? { w: 'majority', journal: true } : { w: 1 } },
    );
    if (matchedCount === 0) throw whyGone(await this.#state(), this.#owner);
    this.#groups++;
    this.#collections = new Set(group.keys());
    const replaced = this.#noted;
    this.#noted = [fields];
    await this.#large.remove(JOURNAL_COLLECTION, replaced);
  }

  /** Throws ViewsGone where the server does not have the group noted last, or another process has taken over. */
  async check(): Promise<void> {
    // Before the look: a group may be noted meanwhile.
    const least = this.#groups;
    const found = await this.#state();
    if (found?.owner !== this.#owner || (found.groups ?? 0) < least) throw whyGone(found, this.#owner);
  }

  #state(): Promise<JournalState | null> {
    return this.#documents.findOne({ _id: ID }, { projection: { owner: 1, groups: 1 } });
  }
}

function whyGone(found: JournalState | null, owner: string): ViewsGone {
  if (found === null) return new ViewsGone('the views were thrown away while the server runs');
  if (found.owner !== owner) return new ViewsTaken();
  return new ViewsGone('the database of the views has lost what was written to it');
}
