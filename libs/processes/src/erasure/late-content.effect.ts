import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Erasures } from '#admin/erasures/erasures';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import { carriesEvents, isToSend } from '#rooms/facts/fact-text';
import { roomIdOfStream, roomStream } from '#rooms/facts/room-facts';
import type { Effect } from '#projections/effects/effect';
import { Turn } from '#projections/turn';
import { eraseInTurns } from './erase-in-turns.js';
import { findSaidInRoom, isPersonal } from './said-in-room.js';

/** A room that was taken in has what our users said there before; where members were left out of it at first, these come later. */
const BROUGHT: ReadonlySet<string> = new Set(['join-completed', 'join-filled']);
/** Events beside its own that a fact carries. */
const CARRIED = ',"state_pdus":{';

/**
 * Takes away what comes back of who was erased: other servers may have it still, and tell it as the past of a room, or with a room that is joined
 * anew.
 */
@Injectable()
export class LateContent implements Effect {
  readonly name = 'late-content';

  constructor(
    private readonly commands: CommandBus,
    private readonly erasures: Erasures,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** PERF: told from the text: what another server sent that speaks of users of this one. */
  keyOf({ type, stream, data }: RecordedFact): string | undefined {
    if (BROUGHT.has(type)) return stream;
    return carriesEvents(type) && hasOfOthers(data) && data.includes(this.#ours) ? stream : undefined;
  }

  async run({ type, stream, data }: RecordedFact): Promise<boolean> {
    const erased = await this.#listErased();
    if (erased.size === 0) return false;
    const roomId = roomIdOfStream(stream);
    if (BROUGHT.has(type)) return this.#eraseBrought(roomId, erased);
    const byUser = new Map<UserId, EventId[]>();
    for (const [eventId, pdu] of eventsOfOthers(data)) {
      const userId = [pdu['sender'], pdu['state_key']].find((one) => erased.has(one as UserId)) as UserId | undefined;
      if (userId !== undefined && isPersonal(pdu, userId)) byUser.set(userId, [...(byUser.get(userId) ?? []), eventId]);
    }
    let isDone = false;
    for (const [userId, eventIds] of byUser) if (await this.#erase(roomId, userId, eventIds)) isDone = true;
    return isDone;
  }

  /** How what tells of a user of this server says so, in an event as in one that a fact carries as text. */
  get #ours(): string {
    return `:${this.config.serverName}`;
  }

  async #listErased(): Promise<ReadonlySet<UserId>> {
    const erased = new Set<UserId>();
    for (const { user_id: id, content, ended } of (await this.erasures.load()).values())
      if (content === true && ended?.refused === undefined) erased.add(id);
    return erased;
  }

  async #eraseBrought(roomId: RoomId, erased: ReadonlySet<UserId>): Promise<boolean> {
    const named = new Set<UserId>();
    const ours = this.#ours;
    const turn = new Turn(1);
    for await (const { data } of this.store.readStream(roomStream(roomId), { inParts: true })) {
      if (data.includes(ours)) for (const userId of erased) if (data.includes(userId)) named.add(userId);
      if (turn.isOver()) await turn.pass();
    }
    let isDone = false;
    for (const userId of named) {
      const { open } = await findSaidInRoom(this.store, roomId, userId);
      if (open.size > 0 && (await this.#erase(roomId, userId, [...open.keys()]))) isDone = true;
    }
    return isDone;
  }

  async #erase(roomId: RoomId, userId: UserId, eventIds: readonly EventId[]): Promise<boolean> {
    try {
      const erasure = { userId, isTold: false, order: {} };
      for await (const _ of eraseInTurns(this.commands, roomId, eventIds, erasure));
      return true;
    } catch (error) {
      // It is not here any more.
      if (error instanceof MatrixError && !mayPass(error)) return false;
      throw error;
    }
  }
}

/** What a fact says of events. */
interface Told {
  readonly event_id: EventId;
  readonly pdu?: JsonObject;
  readonly state_pdus?: Readonly<Record<EventId, string>>;
}

/** Whether a fact has events of other servers, be it its own or some that it carries. PERF: as `isToSend`. */
function hasOfOthers(data: string): boolean {
  return data.includes(CARRIED) || !isToSend(data);
}

function* eventsOfOthers(data: string): Generator<readonly [EventId, JsonObject]> {
  const { event_id: eventId, pdu, state_pdus: carried = {} } = JSON.parse(data) as Told; // rooms wrote it
  if (pdu !== undefined && !isToSend(data)) yield [eventId, pdu];
  for (const [id, text] of Object.entries(carried)) yield [id as EventId, JSON.parse(text) as JsonObject];
}
