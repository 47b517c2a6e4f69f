import { keyFor } from '#protocol/signing/key-for';
import { Logger } from '@nestjs/common';
import { Aggregates } from '#event-store/aggregates';
import type { EventStore } from '#event-store/event-store';
import type { FactDraft } from '#event-store/seal-facts';
import type { Clock } from '#kernel/clock';
import type { JsonObject } from '#kernel/json';
import type { CacheNumbers } from '#kernel/lru-cache';
import { SharedRuns } from '#kernel/shared-runs';
import { ByTheClock } from '#projections/by-the-clock';
import { BY_SERVER, draftFacts } from '../accounts.js';
import { openText, sealText } from '#protocol/signing/sealed-text';
import { hashSecret } from '../credentials/secrets.js';
import type { AuthNoteFact } from '../facts/auth-note-facts.js';
import { decideFirstNote, decideNote, decideNoteEnd, decideOnlyUse, findNote, firstThatCounts, foldAuthNote, type KnownNotes, NO_NOTES } from '../decide/auth-notes.js'; // prettier-ignore

/** How often it is looked for notes that are over. */
const LOOK_MS = 10 * 60_000;
/** Once a write has so many characters the next ones go into another: a server of logs takes so much at once, and not more. */
const ENOUGH_CHARACTERS = 128 * 1024;

/** What is to be decided upon the notes as they are then. */
interface Deciding {
  readonly decide: (notes: KnownNotes) => readonly AuthNoteFact[];
  /** How many facts were written of it; undefined: it waits still. */
  written?: number;
}

/** In which stream notes are, and how many may be there at once, of one owner, of one group and of all. */
export interface NotesPlace {
  readonly stream: string;
  readonly most: number;
  readonly mostOfOwner?: number;
  readonly mostOfGroup?: number;
}

/** For whom a note counts. */
export interface NoteOf {
  /** It costs nobody anything to have made. */
  readonly isCheap?: boolean;
  /** What stands for whom it counts for, and names nobody. */
  readonly owner?: string;
  /** The same for many owners that have something in common. */
  readonly group?: string;
  /** It is kept only where what stands there is this revision of it, `null` nothing: of two that go on from the same one does. */
  readonly instead?: number | null;
}

/** What a note says, until when, and which revision of it that is. */
export interface FoundNote {
  readonly content: JsonObject;
  readonly until: number;
  readonly revision: number;
}

/**
 * Notes about something that is under way, for as long as it is: they survive a restart, and every process of a server that shares its
 * log knows them. Whoever wants one made holds a secret of 128 bits or more: it is found by that, and read with it.
 */
export class KeptNotes extends ByTheClock {
  readonly #log = new Logger('accounts');
  readonly #notes: Aggregates<KnownNotes>;
  /** PERF: there is one stream for all, and a write waits for the disk: whatever comes meanwhile is written together. */
  readonly #waiting = new Set<Deciding>();
  readonly #writes = new SharedRuns(() => this.#write());

  constructor(
    private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly place: NotesPlace,
  ) {
    super();
    this.#notes = new Aggregates({ store, clock, capacity: 1, initialState: NO_NOTES, evolve: foldAuthNote });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#notes.numbers;
  }

  /**
   * Takes a note, or says anew what it says, until a moment in milliseconds since the epoch. Answers whether it is kept: there is room for
   * so many, and for fewer of those that are cheap, and of one owner.
   */
  async keep(secret: string, content: JsonObject, until: number, of: NoteOf = {}): Promise<boolean> {
    const { isCheap, owner, group, instead } = of;
    const sealed = sealText(keyOf(secret), JSON.stringify(content));
    const note = hashSecret(secret);
    const kept = {
      note,
      until,
      sealed,
      ...(owner === undefined ? {} : { owner }),
      ...(group === undefined ? {} : { group }),
    };
    return this.#decide((notes) => {
      const now = this.clock.now();
      const known = findNote(notes, note);
      const revision = known === undefined || known.until <= now ? null : known.revision;
      if (instead !== undefined && revision !== instead) return [];
      return decideNote(notes, kept, { ...this.place, now }, isCheap);
    });
  }

  /** What it says, and until when; undefined where there is none, or no more, and `used` where it was used up. */
  async find(secret: string): Promise<FoundNote | 'used' | undefined> {
    const { state } = await this.#notes.load(this.place.stream);
    const note = findNote(state, hashSecret(secret));
    if (note === undefined || note.until <= this.clock.now()) return undefined;
    if (note.sealed === undefined) return 'used';
    const text = openText(keyOf(secret), note.sealed);
    // As `keep` wrote it.
    if (text === undefined) return undefined;
    return { content: JSON.parse(text) as JsonObject, until: note.until, revision: note.revision };
  }

  /** Uses it up. Answers whether this was what did: of two who try at once it is one, whatever the process. */
  use(secret: string): Promise<boolean> {
    return this.#decide((notes) => decideNoteEnd(notes, hashSecret(secret)));
  }

  /** Takes a note where there is none, for a short time, whatever room there is. Answers whether it did: of two who try at once it is one, whatever the process. */
  claim(secret: string, until: number): Promise<boolean> {
    const kept = { note: hashSecret(secret), until, sealed: sealText(keyOf(secret), '{}') };
    return this.#decide((notes) => decideFirstNote(notes, kept, this.clock.now()));
  }

  /**
   * Uses something up that no note is of, known until a moment in milliseconds since the epoch. Answers as `use`. For what shows who somebody is alone: there is
   * no bound to how many.
   */
  useOnce(secret: string, until: number): Promise<boolean> {
    const now = this.clock.now();
    return this.#decide((notes) => decideOnlyUse(notes, { note: hashSecret(secret), until }, now));
  }

  /** As `useOnce`, and notes it anew where it was used before. */
  async useAgain(secret: string, until: number): Promise<void> {
    await this.#decide(() => [{ type: 'auth-note-ended', data: { note: hashSecret(secret), until } }]);
  }

  /** Until when it is known that it was used up; undefined where it was not. */
  async usedUntil(secret: string): Promise<number | undefined> {
    const { state } = await this.#notes.load(this.place.stream);
    const note = findNote(state, hashSecret(secret));
    return note === undefined || note.sealed !== undefined || note.until <= this.clock.now() ? undefined : note.until;
  }

  /** Answers whether anything was written. */
  async #decide(decide: Deciding['decide']): Promise<boolean> {
    const one: Deciding = { decide };
    this.#waiting.add(one);
    try {
      while (one.written === undefined) await this.#writes.run();
    } finally {
      this.#waiting.delete(one);
    }
    return one.written > 0;
  }

  /** Decides what waits, each upon what those before it have left, and writes that at once. */
  async #write(): Promise<void> {
    const waiting = [...this.#waiting];
    let decided: [Deciding, number][] = [];
    await this.#notes.execute(
      this.place.stream,
      (before, _, revision) => {
        decided = [];
        const drafts: FactDraft[] = [];
        let [notes, last, characters] = [before, typeof revision === 'number' ? revision : -1, 0];
        for (const one of waiting) {
          if (characters > ENOUGH_CHARACTERS) break;
          const more = draftFacts(one.decide(notes));
          const at = this.clock.now();
          for (const { type, data } of more) {
            notes = foldAuthNote(notes, { type, data, metadata: { at } }, ++last);
            characters += data.length;
          }
          drafts.push(...more);
          decided.push([one, more.length]);
        }
        return drafts;
      },
      BY_SERVER,
    );
    for (const [one, count] of decided) {
      one.written = count;
      this.#waiting.delete(one);
    }
  }

  protected beginToLook(): void {
    this.looks.soon();
  }

  /** Lets go of what is over, from the log, too. */
  protected async doDue(): Promise<number> {
    const { state } = await this.#notes.load(this.place.stream);
    if (state.older.size + state.newest.size === 0) return LOOK_MS;
    const now = this.clock.now();
    const first = firstThatCounts(state, now);
    if (first !== undefined) await this.store.truncate(this.place.stream, first);
    else {
      // The last fact of a stream stays: so it is one that holds nothing.
      const over = (notes: KnownNotes) =>
        firstThatCounts(notes, now) === undefined ? [{ type: 'auth-notes-over', data: {} }] : [];
      const { revision, facts } = await this.#notes.execute(
        this.place.stream,
        (notes) => draftFacts(over(notes)),
        BY_SERVER,
      );
      if (facts.length > 0 && typeof revision === 'number') await this.store.truncate(this.place.stream, revision);
    }
    return LOOK_MS;
  }

  protected lookFailed(error: unknown): void {
    this.#log.warn({ err: error }, 'what is over of authentications is in the log still');
  }
}

const keyOf = (secret: string): Buffer => keyFor(secret, 'auth note');
