import { randomUUID } from 'node:crypto';
import { type Collection, type Db, type Filter, MongoServerError } from 'mongodb';
import { ViewsGone, ViewsTaken } from '../read-model-errors.js';
import type { LargeValues, RowDocument, RowFields } from './large-values.js';
import { newLife } from './life-names.js';

/** A row and what it holds from now on: null for nothing. */
export type RowChange = readonly [id: string, fields: RowFields | null];

/** What is written at one time, by collection. */
export type RowGroup = ReadonlyMap<string, readonly RowChange[]>;

export const NOTHING: RowGroup = new Map();
/** Holds one document and no rows; its parts are in a collection beside it, as those of a row. */
export const JOURNAL_COLLECTION = 'annals.journal';
/** MongoDB's code for a document whose id is there already. */
export const DUPLICATE_KEY = 11_000;
const ID = 'journal';
/** The numbers of a new owner begin so far above those before that rows are below whose group the server has lost. */
const LEASE_GROUPS = 1_000_000;

/** Whose the lease is, and what changes while they are alive. */
export interface LeaseState {
  /** Which views they are: others after they were thrown away. */
  readonly life: string;
  /** Who writes to these views; null where they have ended. */
  readonly owner: string | null;
  /** What runs there, where that is known to run once: whoever bears this name comes after them. */
  readonly holder: string | undefined;
  /** The number of the group noted last. */
  readonly groups: number;
  /** How often the owners have said that they are there. */
  readonly beats: number;
}

/** What a process writes of itself when it takes the lease. */
interface NextOwner {
  readonly owner: string;
  readonly holder?: string;
  readonly groups: number;
}

interface JournalDocument extends RowDocument {
  readonly life?: string;
  readonly owner?: string | null;
  readonly holder?: string;
  readonly groups?: number;
  readonly beats?: number | null;
  /** Says nothing: what is written is waited for (`keep`). */
  readonly kept?: number;
}

/**
 * What makes one write of a group of rows, where the server has no transactions: the group is noted here before its first
 * row is written, and whoever takes the lease after a crash writes it once more. One document holds the last group alone, for
 * a group is noted only when all rows of the one before are there.
 *
 * It is the lease as well: it names the one process that may note groups. The number of a group grows with each, whoever
 * notes it, and goes into each of its rows (`write-rows.ts`): so nothing counts that a process writes late. And it tells how
 * far the server has come: one that lost writes it had acknowledged (it was killed before they were on its disk, or another
 * member of its replica set took over) is found out at the next group or `renew`.
 */
export class Journal {
  readonly #owner = randomUUID();
  readonly #documents: Collection<JournalDocument>;
  readonly #large: LargeValues;
  #groups = 0;
  #life: string | undefined;
  /** That of the views that were confirmed last, or looked at first, for who does not have the lease. */
  #confirmed: string | undefined;
  /** How many groups there were when it was last looked at, for who does not have the lease. */
  #seen = 0;
  #noted: RowFields[] = [];

  constructor(
    database: Db,
    large: LargeValues,
    private readonly holder: string | undefined,
  ) {
    this.#documents = database.collection<JournalDocument>(JOURNAL_COLLECTION);
    this.#large = large;
  }

  /** The number of the group noted last. */
  get groups(): number {
    return this.#groups;
  }

  /** Which views they are that this process writes, or has looked at last; undefined where it has seen none. */
  get life(): string | undefined {
    return this.#life;
  }

  /** Undefined where nobody has written yet. */
  async look(): Promise<LeaseState | undefined> {
    const found = await this.#state();
    if (found === null) return undefined;
    const { life = '', owner = null, holder, groups = 0, beats } = found;
    this.#life = life;
    this.#confirmed ??= life;
    return { life, owner, holder, groups, beats: beats ?? 0 };
  }

  /**
   * Takes the lease, if it still is as it was seen. Answers the group that the former owner may have left half written, to be
   * written with a number of its own; undefined where the lease has moved on.
   */
  async take(seen: LeaseState | undefined): Promise<RowGroup | undefined> {
    const next = { ...this.#name, groups: (seen?.groups ?? 0) + LEASE_GROUPS };
    if (!(seen === undefined ? await this.#begin(next) : await this.#replace(seen, next))) return undefined;
    this.#groups = next.groups;
    const found = await this.#documents.findOne({ _id: ID });
    this.#life = found?.life ?? '';
    const text = found === null ? '' : await this.#large.valueOf(JOURNAL_COLLECTION, found);
    this.#noted = found?.large === undefined ? [] : [found];
    // Written by `note` and by nobody else.
    return text ? new Map(JSON.parse(text) as [string, RowChange[]][]) : NOTHING;
  }

  /** The views begin anew: those that were there count no more once the next group is noted. */
  beginLife(): void {
    this.#life = newLife();
  }

  /**
   * Notes a group in place of the one before; `isDurable` waits until the journals of the majority have it, and with it all
   * that was written earlier. Throws ViewsGone where the server does not have the one before, ViewsTaken where another process
   * has the lease.
   */
  async note(group: RowGroup, isDurable = false): Promise<void> {
    const fields = await this.#large.fieldsOf(JOURNAL_COLLECTION, JSON.stringify([...group]));
    const { matchedCount } = await this.#documents.replaceOne(
      // Also the number after: the outcome of the last try may not be known.
      { ...this.#mine, groups: { $in: [this.#groups, this.#groups + 1] } },
      { ...fields, ...this.#name, life: this.#life, groups: this.#groups + 1 },
      { writeConcern: isDurable ? { w: 'majority', journal: true } : { w: 1 } },
    );
    if (matchedCount === 0) throw await this.whyGone();
    this.#groups++;
    const replaced = this.#noted;
    this.#noted = [fields];
    await this.#large.remove(JOURNAL_COLLECTION, replaced);
  }

  /** For who does not have the lease: settles when the journals of the majority have all that was written before the call. */
  async keep(): Promise<void> {
    const writeConcern = { w: 'majority', journal: true } as const;
    await this.#documents.updateOne({ _id: ID }, { $inc: { kept: 1 } }, { writeConcern });
  }

  /** Says that this process is there. Throws as `note`. */
  async renew(): Promise<void> {
    // Before the look: a group may be noted meanwhile.
    const least = this.#groups;
    const filter = { ...this.#mine, groups: { $gte: least } };
    const { matchedCount } = await this.#documents.updateOne(filter, { $inc: { beats: 1 } });
    if (matchedCount === 0) throw await this.whyGone();
  }

  /**
   * Settles where the server has all that was noted. Throws as `note`. PERF: it only reads, for requests wait for it; and so they
   * need not wait for a server that takes nothing to be written.
   */
  async check(): Promise<void> {
    const least = this.#groups;
    const found = await this.#state();
    if (found?.owner !== this.#owner || (found.groups ?? 0) < least) throw this.#whyGone(found);
  }

  /** For who does not have the lease. Throws ViewsGone where the rows are others than those of the last time. */
  async checkGoesOn(): Promise<void> {
    const before = this.#confirmed;
    const { life, groups = -1 } = (await this.look()) ?? {};
    const isOther = groups < this.#seen || (before !== undefined && life !== before);
    // Those that somebody makes anew count again.
    this.#seen = Math.max(groups, 0);
    this.#confirmed = life;
    if (isOther) throw new ViewsGone('the views were thrown away while the server runs');
  }

  /** Lets the next process write without waiting. */
  async release(): Promise<void> {
    await this.#documents.updateOne(this.#mine, { $set: { owner: null } });
  }

  /** What to throw where the server does not take what this process writes. */
  async whyGone(): Promise<ViewsGone> {
    return this.#whyGone(await this.#state());
  }

  #whyGone(found: JournalDocument | null): ViewsGone {
    if (found === null) return new ViewsGone('the views were thrown away while the server runs');
    if (found.owner !== this.#owner) return new ViewsTaken();
    return new ViewsGone('the database of the views has lost what was written to it');
  }

  /** The journal, as long as this process has the lease. */
  get #mine(): { readonly _id: string; readonly owner: string } {
    return { _id: ID, owner: this.#owner };
  }

  get #name(): { readonly owner: string; readonly holder?: string } {
    return this.holder === undefined ? { owner: this.#owner } : { owner: this.#owner, holder: this.holder };
  }

  async #begin(next: NextOwner): Promise<boolean> {
    try {
      await this.#documents.insertOne({ _id: ID, life: newLife(), ...next });
      return true;
    } catch (error) {
      // Somebody else was the first.
      if (error instanceof MongoServerError && error.code === DUPLICATE_KEY) return false;
      throw error;
    }
  }

  async #replace({ owner, groups, beats }: LeaseState, next: NextOwner): Promise<boolean> {
    // Null matches what is not there, too.
    const filter: Filter<JournalDocument> = { _id: ID, owner, groups, beats: beats || null };
    return (await this.#documents.updateOne(filter, { $set: next })).matchedCount > 0;
  }

  #state(): Promise<JournalDocument | null> {
    return this.#documents.findOne({ _id: ID }, { projection: { life: 1, owner: 1, holder: 1, groups: 1, beats: 1 } });
  }
}
