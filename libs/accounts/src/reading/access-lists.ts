import { Inject, Injectable, Optional } from '@nestjs/common';
import type { UserId } from '#kernel/ids';
import { CONTACTS_OF, type ContactsOf } from '../contacts-of.js';
import type { ReaderEntry } from '../facts/account-facts.js';
import { GROUPS_OF, type GroupsOf } from '../groups-of.js';
import { ROOMS_IN_COMMON, type RoomsInCommon } from '../rooms-in-common.js';

/** One reader before what somebody keeps, for the length of one request: nothing is asked twice. */
export class Reading {
  readonly #asked = new Map<string, Promise<boolean>>();
  #groups: Promise<readonly string[]> | undefined;

  constructor(
    private readonly lists: Pick<AccessLists, 'groups' | 'contacts' | 'rooms'>,
    private readonly owner: UserId,
    /** Undefined: nobody knows who asks. */
    private readonly reader: UserId | undefined,
    /** Whether the two share a room, where that is known already. */
    shareRoom?: boolean,
  ) {
    if (shareRoom !== undefined) this.#asked.set('rooms', Promise.resolve(shareRoom));
  }

  /** Whether the reader is on a list. Owners may read what is theirs. */
  async isOn(readers: readonly ReaderEntry[]): Promise<boolean> {
    if (this.reader === this.owner) return true;
    for (const entry of readers) if (await this.#isMeantBy(entry, this.reader)) return true;
    return false;
  }

  #isMeantBy(entry: ReaderEntry, reader: UserId | undefined): boolean | Promise<boolean> {
    if (entry === 'everybody') return true;
    if (reader === undefined) return false;
    if (entry === reader) return true;
    if (entry === 'rooms') return this.#ask(entry, () => this.lists.rooms?.has(this.owner, reader));
    if (entry === 'contacts') return this.#ask(entry, () => this.lists.contacts?.has(this.owner, reader));
    if (!entry.startsWith('group:')) return false;
    return this.#listGroups(reader).then((groups) => groups.some((name) => entry === `group:${name}`));
  }

  #ask(entry: string, ask: () => Promise<boolean> | undefined): Promise<boolean> {
    let asked = this.#asked.get(entry);
    if (asked === undefined) this.#asked.set(entry, (asked = ask() ?? Promise.resolve(false)));
    return asked;
  }

  #listGroups(reader: UserId): Promise<readonly string[]> {
    return (this.#groups ??= this.lists.groups?.list(this.owner, reader) ?? Promise.resolve([]));
  }
}

/** Who is on an access list: the one place that says who may read a field of a profile, or a piece of private data. */
@Injectable()
export class AccessLists {
  constructor(
    @Optional() @Inject(GROUPS_OF) readonly groups?: GroupsOf,
    @Optional() @Inject(CONTACTS_OF) readonly contacts?: ContactsOf,
    @Optional() @Inject(ROOMS_IN_COMMON) readonly rooms?: RoomsInCommon,
  ) {}

  /** `shareRoom`: whether the two share a room, where that is known already. */
  read(owner: UserId, reader: UserId | undefined, shareRoom?: boolean): Reading {
    return new Reading(this, owner, reader, shareRoom);
  }
}
