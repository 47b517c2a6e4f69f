import { Inject, Injectable } from '@nestjs/common';
import type { EventMatcher } from '#accounts/filters/event-matcher';
import { PROFILES } from '#accounts/projections/profiles.projector';
import { LISTED_ROOMS } from '#devices/projections/device-lists.projector';
import { Presence } from '#ephemeral/presence/presence';
import { contentOfPresence, isOffline, type PresenceForm } from '#ephemeral/presence/shown-presence';
import type { StreamMoment } from '#http/tokens/stream-token';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { VIEWS, type Views } from '#projections/views';
import type { EventForm } from '#rooms/queries/render-event';
import type { Reader } from '#rooms/reading/reader';
import type { KnownRoom } from '../notifier/active-user.js';
import { ActiveUsers } from '../notifier/active-users.js';
import type { ChangeLog } from './change-log.js';
import { PresenceChanges } from './presence-changes.js';

/** Who asks, with the rooms in which they ask. */
export interface PresenceReader {
  readonly userId: UserId;
  readonly rooms: ReadonlyMap<RoomId, KnownRoom>;
  /** Whether they ask for a room alone, and not for those on their presence list besides. */
  readonly ofRoomOnly?: boolean;
}

const TYPE = 'm.presence';
const TEXTS = 20_000;
/** So old may be what is told of when somebody did something last. */
const TEXTS_FOR_MS = 1_000;
const NOBODY: ReadonlySet<UserId> = new Set();

/**
 * Whose presence somebody is told of: those with whom they are in a room now, those who let them follow it by their presence list, and
 * themself, but nobody whom they ignore. Who was told of somebody and may see them no more hears no more of them.
 */
@Injectable()
export class PresenceNews {
  /** What others are told of users. PERF: a thousand members of a room are told the same of each other within moments. */
  readonly #texts = new LruCache<UserId, string>(TEXTS);
  #textsSince = -Infinity;

  constructor(
    private readonly presence: Presence,
    private readonly changes: PresenceChanges,
    private readonly active: ActiveUsers,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {
    presence.onChange((userId) => void this.#texts.delete(userId));
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#texts.numbers;
  }

  /** Who changed between two moments. Of rooms that the reader joined there, everybody of whom anything is known. */
  async changed(
    { userId: own, rooms, ofRoomOnly }: PresenceReader,
    since: StreamMoment,
    until: StreamMoment,
  ): Promise<ReadonlySet<UserId>> {
    if (until.presence === undefined) return NOBODY;
    const [from, to] = [this.changes.heardUpTo(since.presence), this.changes.heardUpTo(until.presence)];
    const mayHaveJoined = !this.active.recent.members.isQuietSince(since.position);
    if (from >= to && !mayHaveJoined) return NOBODY;
    const users = new Set<UserId>();
    for (const [roomId, { membership, position }] of rooms) {
      const log = membership === 'join' ? this.changes.inRoom(roomId) : undefined;
      if (log === undefined) continue;
      const isNew = mayHaveJoined && position > since.position && (await this.#hasJoined(own, roomId, since));
      const after = isNew ? 0 : from;
      if (log.last > after) for (const userId of log.between(after, to)) users.add(userId);
    }
    if (ofRoomOnly !== true) for (const userId of this.changes.onList(own)?.between(from, to) ?? []) users.add(userId);
    // What others see of the reader is what changed for them, or less than that.
    users.delete(own);
    const last = this.changes.ofOneself(own);
    if (last > from && last <= to) users.add(own);
    return users;
  }

  /** Who is there, with the reader, there or not, in the order of their ids. `withAway`: also those of whom it is known that they are not. */
  present({ userId: own, rooms, ofRoomOnly }: PresenceReader, withAway = false): ReadonlySet<UserId> {
    if (!this.presence.isOn) return NOBODY;
    const users = new Set([own]);
    const take = (log: ChangeLog | undefined): void => {
      for (const userId of log?.between(0, Infinity) ?? []) if (withAway || this.#isThere(userId)) users.add(userId);
    };
    for (const [roomId, { membership }] of rooms) if (membership === 'join') take(this.changes.inRoom(roomId));
    if (ofRoomOnly !== true) take(this.changes.onList(own));
    return new Set([...users].toSorted());
  }

  /** As /sync tells those of them whom the reader does not ignore and the filter wants: each an event, a JSON text. */
  render(reader: Reader, users: ReadonlySet<UserId>, wanted?: EventMatcher): string[] {
    const now = this.stopwatch.elapsed();
    if (now - this.#textsSince >= TEXTS_FOR_MS) {
      this.#texts.clear();
      this.#textsSince = now;
    }
    return selected(users, reader, wanted).map((userId) => {
      if (userId === reader.userId) return this.#textOf(userId, true);
      let text = this.#texts.get(userId);
      if (text === undefined) this.#texts.set(userId, (text = this.#textOf(userId, false)));
      return text;
    });
  }

  /** As the event streams and initial synchronisations of 2014/15 tell them, in today's words or in those of then. */
  async renderForEventStream(
    reader: Reader,
    users: ReadonlySet<UserId>,
    as: EventForm,
    wanted?: EventMatcher,
  ): Promise<string[]> {
    const form = as === 'v1' ? as : 'today';
    const told = selected(users, reader, wanted);
    const keys = told.map((userId) => [userId] as const);
    const profiles = form === 'v1' && told.length > 0 ? await PROFILES.getMany(this.views, keys) : [];
    return told.map((userId, i) => {
      const presence = this.#contentOf(userId, userId === reader.userId, form);
      const content = { user_id: userId, ...nameIn(profiles[i]), ...presence };
      return JSON.stringify({ type: TYPE, ...(form === 'v1' ? {} : { sender: userId }), content });
    });
  }

  #textOf(userId: UserId, isOwn: boolean): string {
    const content = JSON.stringify(this.#contentOf(userId, isOwn, 'today'));
    return `{"type":"${TYPE}","sender":${JSON.stringify(userId)},"content":${content}}`;
  }

  #contentOf(userId: UserId, isOwn: boolean, form: PresenceForm): JsonObject {
    const shown = this.presence.find(userId);
    return shown === undefined ? { presence: 'offline' } : contentOfPresence(shown, isOwn, form);
  }

  #isThere(userId: UserId): boolean {
    const shown = this.presence.find(userId);
    return shown !== undefined && !isOffline(shown);
  }

  async #hasJoined(userId: UserId, roomId: RoomId, { position }: StreamMoment): Promise<boolean> {
    const row = await LISTED_ROOMS.get(this.views, [userId, roomId]);
    return row?.joined === true && row.position > position;
  }
}

function selected(users: ReadonlySet<UserId>, { ignored }: Reader, wanted: EventMatcher | undefined): UserId[] {
  return [...users].filter((sender) => !ignored.has(sender) && wanted?.matches({ type: TYPE, sender }) !== false);
}

function nameIn(profile: string | undefined): JsonObject {
  const { displayname, avatar_url: avatar } = JSON.parse(profile ?? '{}') as JsonObject;
  return {
    ...(displayname === undefined ? {} : { displayname }),
    ...(avatar === undefined ? {} : { avatar_url: avatar }),
  };
}
