import { Inject, Injectable, Optional } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { DEVICES } from '#accounts/projections/devices.projector';
import { RoomPurges } from '#admin/purges/room-purges';
import { ROOM_ALIASES } from '#directory/projections/directory.projector';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { namesMedia } from '#media/media-in-text';
import { UnshownMedia } from '#media/unshown-media';
import type { Effect } from '#projections/effects/effect';
import { Turn } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import { ALIAS_BOOK, type AliasBook } from '#rooms/alias-book';
import { ContinuePurge } from '#rooms/commands/continue-purge';
import { TellPurged } from '#rooms/commands/tell-purged';
import { pduTextOf } from '#rooms/facts/fact-text';
import { roomIdOfStream } from '#rooms/facts/room-facts';
import type { RoomPurged } from '#rooms/facts/room-purged';
import { OWN_STAYS } from '#rooms/projections/deserted-rooms.projector';
import { actForServer } from './act-for-server.js';
import { hasTooManyRows } from './has-too-many-rows.js';

const PURGED = 'room-purged';
/** So many facts of the room are named at once: a fact takes some hundred KB. */
const FACTS_AT_ONCE = 1_000;
const USERS_AT_ONCE = 1_000;

/** The facts of a room that name what nobody finds by the room, a part of them. */
interface Named {
  readonly up_to: number;
  readonly events: readonly EventId[];
  readonly users: readonly UserId[];
}

/**
 * Lets go of what is known of a room, step by step: the views by the facts of the purge, each of which takes away as much as does not hold
 * anybody up; then the log, of all that stands before them. What media the room showed is noted before, for nobody knows after.
 */
@Injectable()
export class PurgedRooms implements Effect {
  readonly name = 'purged-rooms';
  readonly fromStart = true;

  constructor(
    private readonly commands: CommandBus,
    private readonly purges: RoomPurges,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(ALIAS_BOOK) private readonly aliases: AliasBook,
    @Optional() private readonly media?: UnshownMedia,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === PURGED ? stream : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const roomId = roomIdOfStream(fact.stream);
    const purged = JSON.parse(fact.data) as RoomPurged;
    if (purged.more !== true) {
      await this.store.truncate(fact.stream, purged.kept_from ?? fact.revision);
      await this.#end(fact, { roomId, roomVersion: purged.room_version });
      return true;
    }
    const { room_version, up_to } = purged;
    const named = await this.#name(fact.stream, up_to);
    if (named !== undefined) await this.#goOn(fact, { room_version, more: true, ...named });
    else if (await hasTooManyRows(this.views, roomId)) await this.#goOn(fact, { room_version, more: true, up_to });
    else await this.#finish(fact, purged);
    return true;
  }

  #goOn({ stream, revision }: RecordedFact, next: RoomPurged): Promise<void> {
    return this.commands.execute(new ContinuePurge(roomIdOfStream(stream), revision, next));
  }

  /** The next facts behind a revision, with the media that they show; undefined where all have been named. */
  async #name(stream: string, behind: number): Promise<Named | undefined> {
    const turn = new Turn(1);
    const events: EventId[] = [];
    const users = new Set<UserId>();
    let last = behind;
    for await (const fact of this.store.readStream(stream, { from: behind + 1, limit: FACTS_AT_ONCE, inParts: true })) {
      if (fact.type === PURGED) break;
      last = fact.revision;
      const { event_id: eventId, pdu } = JSON.parse(fact.data) as { event_id?: EventId; pdu?: JsonObject };
      if (eventId !== undefined) events.push(eventId);
      if (pdu?.['type'] === 'm.room.member') users.add(String(pdu['state_key']) as UserId);
      if (pdu !== undefined && namesMedia(fact.data))
        await this.media?.note(pduTextOf(fact.data), String(pdu['sender']));
      if (turn.isOver()) await turn.pass();
    }
    return last === behind ? undefined : { up_to: last, events, users: [...users] };
  }

  /** Of users of this server other streams tell too that they had to do with the room: who makes the views anew has to know that it counts no more. */
  async #finish(fact: RecordedFact, { room_version, up_to, kept_from }: RoomPurged): Promise<void> {
    const roomId = roomIdOfStream(fact.stream);
    await this.#freeAliases(roomId, fact);
    const users: UserId[] = [];
    for await (const page of OWN_STAYS.pages(this.views, { prefix: [roomId] })) {
      for (const { key } of page) users.push(key[2]);
    }
    const done = kept_from ?? fact.revision + 1;
    const from = (fact.revision + 1 - done) * USERS_AT_ONCE;
    const some = users.slice(from, from + USERS_AT_ONCE);
    const isLast = from + USERS_AT_ONCE >= users.length;
    await this.#goOn(fact, {
      room_version,
      ...(isLast ? {} : { more: true as const }),
      up_to,
      users: some,
      kept_from: done,
    });
  }

  async #freeAliases(roomId: RoomId, fact: RecordedFact): Promise<void> {
    for await (const page of ROOM_ALIASES.pages(this.views, { prefix: [roomId] })) {
      for (const { value: alias } of page) await this.aliases.release(alias, roomId, actForServer(fact));
    }
  }

  /**
   * Whoever was put out of the room is told so anew, for nothing of it says so any more. Who has no device, as users of application services, has
   * none that shows it.
   */
  async #end(fact: RecordedFact, room: { readonly roomId: RoomId; readonly roomVersion: string }): Promise<void> {
    const purged = { ...room, position: fact.position, at: fact.metadata.at };
    const { purges } = await this.purges.load();
    for (const { purge_id, room_id, begun, ended } of purges.values()) {
      if (room_id !== room.roomId || ended !== undefined) continue;
      for (const userId of begun?.left ?? []) {
        const devices = await DEVICES.scan(this.views, { prefix: [userId], limit: 1 });
        if (devices.length > 0) await this.commands.execute(new TellPurged(userId, purged, { actor: 'server' }));
      }
      await this.purges.end({ purge_id, room_id });
    }
  }
}
