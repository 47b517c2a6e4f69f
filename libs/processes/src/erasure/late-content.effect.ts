import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Erasures } from '#admin/erasures/erasures';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import { EraseEvents } from '#rooms/commands/erase-events';
import { isToSend } from '#rooms/facts/fact-text';
import { roomIdOfStream, roomStream } from '#rooms/facts/room-facts';
import type { Effect } from '#projections/effects/effect';
import { Turn } from '#projections/turn';
import { findSaidInRoom, isPersonal } from './said-in-room.js';

/** A room that was taken in has what our users said there before; where members were left out of it at first, these come later. */
const BROUGHT: ReadonlySet<string> = new Set(['join-completed', 'join-filled']);
const RECEIVED: ReadonlySet<string> = new Set(['pdu-accepted', 'pdu-soft-failed', 'pdu-rejected']);

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
    return RECEIVED.has(type) && !isToSend(data) && data.includes(this.#ours) ? stream : undefined;
  }

  async run({ type, stream, data }: RecordedFact): Promise<boolean> {
    const erased = await this.#listErased();
    if (erased.size === 0) return false;
    const roomId = roomIdOfStream(stream);
    if (BROUGHT.has(type)) return this.#eraseBrought(roomId, erased);
    const { event_id: eventId, pdu } = JSON.parse(data) as Received; // rooms wrote it
    const userId = [pdu['sender'], pdu['state_key']].find((one) => erased.has(one as UserId)) as UserId | undefined;
    return userId !== undefined && isPersonal(pdu, userId) && this.#erase(roomId, userId, [eventId]);
  }

  /** How what tells of a user of this server says so. */
  get #ours(): string {
    return `:${this.config.serverName}"`;
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
      for (let left = eventIds; left.length > 0;)
        left = left.slice(
          await this.commands.execute(new EraseEvents(roomId, left, { userId, isTold: false, order: {} })),
        );
      return true;
    } catch (error) {
      // It is not here any more.
      if (error instanceof MatrixError && !mayPass(error)) return false;
      throw error;
    }
  }
}

interface Received {
  readonly event_id: EventId;
  readonly pdu: JsonObject;
}
