import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Declared } from '#projections/collection';

/** Under which headings people are shown what is theirs, in this order. */
export const CHAPTERS = Object.freeze({
  account: 'Your account',
  devices: 'Your devices and their keys',
  rooms: 'Your rooms and what you wrote',
  people: 'The people you know',
  media: 'Your files',
  places: 'Where your data is',
});
export type Chapter = keyof typeof CHAPTERS;

/** A file that belongs to a record. */
export interface PersonalFile {
  /** As its owner calls it. */
  readonly name: string | undefined;
  readonly bytes: number;
  /** Its content, to be read to its end or destroyed; undefined where it is not there any more. */
  open(): Promise<Readable | undefined>;
}

/** One thing that is a person's. */
export interface PersonalRecord {
  readonly data: JsonObject;
  /** The same as JSON, where its numbers have a spelling that is to be kept. */
  readonly text?: string;
  /** The room that it is of, where people are shown them by rooms: those of one room then follow each other. */
  readonly room?: { readonly id: RoomId; readonly name: string };
  /** What people are shown of it instead of all that it says. */
  readonly shown?: { readonly at: number; readonly what: string; readonly text?: string };
  readonly file?: PersonalFile;
}

/** What of the views and of the log a kind of data is. */
export interface Covered {
  /** Whose rows it tells, or is the same as. */
  readonly collections: readonly Pick<Declared, 'name'>[];
  /** The types of the facts that say it. */
  readonly facts: readonly string[];
}

/** A kind of data that this server has of a person: it is theirs, and handed over where they ask for it. */
export interface PersonalDataKind {
  /** Lower case, digits and `-`: what its files are called by. */
  readonly name: string;
  readonly chapter: Chapter;
  readonly title: string;
  /** What it is, to whom it belongs. */
  readonly about: string;
  readonly covers: Covered;
  /**
   * Whether its records are counted among what went, where the account is erased. Not: they are of others too and stay, are counted by themselves (events, media), or
   * go along with what is counted (`key-counts`).
   */
  readonly isCountedAsErased: boolean;
  /** It says at length what another of its chapter says in brief: it is handed over, and no page of this server shows it. */
  readonly isHandedOverAlone?: true;
  /** All of it as it stands now, in an order that is the same each time; nothing secret, nothing that is another's alone. */
  read(userId: UserId): AsyncIterable<PersonalRecord>;
}

/**
 * The kinds of data that there are, of whatever library: each adds itself as it is made, before the server listens. docs/personal-data.md has
 * all of them, and what is of nobody or handed over to nobody.
 */
@Injectable()
export class PersonalData {
  readonly #kinds = new Map<string, PersonalDataKind>();

  /** Throws where there is one of that name already: one would stand in the place of the other. */
  add(...kinds: readonly PersonalDataKind[]): void {
    for (const kind of kinds) {
      if (this.#kinds.has(kind.name)) throw new Error(`there are two kinds of personal data called ${kind.name}`);
      this.#kinds.set(kind.name, kind);
    }
  }

  /** By chapters, then by name. */
  get all(): readonly PersonalDataKind[] {
    const order = Object.keys(CHAPTERS);
    const rankOf = ({ chapter }: PersonalDataKind): number => order.indexOf(chapter);
    return [...this.#kinds.values()].toSorted(
      (one, other) => rankOf(one) - rankOf(other) || (one.name < other.name ? -1 : 1),
    );
  }
}
