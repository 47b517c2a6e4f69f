import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import { isUserId, type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { contentOf } from '#rooms/facts/pdu-fields';
import { type PduAccepted, roomIdOfStream } from '#rooms/facts/room-facts';
import { listStickyPdus } from '#rooms/queries/list-sticky-pdus';
import { mayMoveMembers } from './known-servers.js';
import { ServersInRooms } from './servers-in-rooms.js';

/** What a server is told that came into a room. */
export interface ToldToNewcomer {
  readonly server: ServerName;
  readonly pdus: readonly string[];
}

/**
 * The sticky events that another server has to be sent besides those that happen while it is there: MSC4354, "Federation behaviour". They
 * are those of our own users alone, for of others we know of no events before them that it could ask us for.
 */
@Injectable()
export class StickyForServer {
  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'stickyEvents'>,
    private readonly servers: ServersInRooms,
  ) {}

  /** Whether a server may come into a room by a fact, whoever sent it. */
  mayBringServer(fact: RecordedFact): boolean {
    return this.config.stickyEvents && fact.type === 'pdu-accepted' && mayMoveMembers(fact);
  }

  /** "When a new server joins the room, existing servers MUST attempt to push all of their own sticky events": those before that fact. */
  async toNewcomer(fact: RecordedFact, before: ReadonlySet<ServerName>): Promise<ToldToNewcomer | undefined> {
    if (!this.mayBringServer(fact)) return undefined;
    const { pdu } = JSON.parse(fact.data) as PduAccepted; // written by the room's worker
    const userId = pdu['state_key'];
    if (typeof userId !== 'string' || !isUserId(userId) || contentOf(pdu)['membership'] !== 'join') return undefined;
    const server = serverNameOf(userId);
    if (server === this.config.serverName || before.has(server)) return undefined;
    const pdus = await this.#list(roomIdOfStream(fact.stream), { before: fact.position });
    return pdus.length === 0 ? undefined : { server, pdus };
  }

  /** Those of a room that a server lacks which was noted to be behind from a fact on: all, where it came to the room since then. */
  async missedBy(server: ServerName, roomId: RoomId, since: Position): Promise<readonly string[]> {
    if (!this.config.stickyEvents) return [];
    const isNew = await this.servers.cameSince(roomId, server, since);
    return this.#list(roomId, isNew ? {} : { from: since });
  }

  #list(roomId: RoomId, range: { readonly from?: Position; readonly before?: Position }): Promise<string[]> {
    const { store, views, config } = this;
    return listStickyPdus({ store, views }, roomId, { server: config.serverName, now: this.clock.now(), ...range });
  }
}
