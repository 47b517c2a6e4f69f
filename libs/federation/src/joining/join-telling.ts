import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseRoomEvent } from '#protocol/parse-room-event';
import type { StateEntry } from '#protocol/state-trie/state-trie';
import type { TakenMembership } from '#rooms/commands/take-membership';
import { StateTelling } from '#rooms/queries/tell-state';
import { findRowsById } from '#rooms/reading/event-rows';
import { readSummary } from '#sync/parts/summary-part';
import { ServersInRooms } from '../sending/servers-in-rooms.js';
import { inOrder, listText, pduText } from '../serving/json-texts.js';

/** What who joins is told of the room: as large as the room, so it is written as it is read. */
@Injectable()
export class JoinTelling {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly inRooms: ServersInRooms,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /**
   * The answer to `send_join`; that of version 1 stands behind a status. Where members are left out, those are told by whom the room
   * is called, and which servers are there. Throws ViewsUnavailable.
   */
  async tell(
    roomId: RoomId,
    { version, eventId, pdu, position }: TakenMembership,
    { isV1 = false, omitsMembers = false } = {},
  ): Promise<AsyncGenerator<string, void>> {
    const telling = await StateTelling.before({ views: this.views, store: this.store }, roomId, eventId, position);
    const joining = parseRoomEvent(pdu, version, roomId);
    telling.authorise(joining);
    const event = canonicalJson(pdu, { lenient: !version.strictCanonicalJson });
    const origin = `"origin":${JSON.stringify(this.config.serverName)},"event":${event}`;
    const servers = JSON.stringify([this.config.serverName, ...(await this.#serversBefore(roomId, eventId))]);
    const head = `${origin},"members_omitted":${omitsMembers},"servers_in_room":${servers}`;
    const heroes = omitsMembers ? new Set<string>(await this.#heroes(roomId, joining.sender)) : undefined;
    // By the state that is told the join is let in: so what it rests on is among that.
    const isTold = ({ stateKey, eventId: id }: StateEntry): boolean =>
      heroes === undefined || heroes.has(stateKey) || joining.authEvents.includes(id);
    const answer = textOf(head, telling, isTold);
    return isV1 ? inOrder(['[200,', answer, ']']) : answer;
  }

  /** The other servers in the room before an event: the one that joins is none of them, unless it was there. */
  async #serversBefore(roomId: RoomId, eventId: EventId): Promise<ReadonlySet<ServerName>> {
    const [row] = await findRowsById(this.views, roomId, [eventId]);
    return row === undefined ? this.inRooms.of(roomId) : this.inRooms.before(roomId, row.header.position);
  }

  /** Those by whom a room is called that has no name. */
  async #heroes(roomId: RoomId, joining: UserId): Promise<readonly UserId[]> {
    return (await readSummary(this.views, roomId, joining)).heroes ?? [];
  }
}

/** `isTold`: whether a member event is. */
function textOf(
  head: string,
  telling: StateTelling,
  isTold: (member: StateEntry) => boolean,
): AsyncGenerator<string, void> {
  const isLeftOut = (entry: StateEntry): boolean => entry.type === 'm.room.member' && !isTold(entry);
  const state = listText(telling.state(isLeftOut), pduText);
  return inOrder([`{${head},"state":[`, state, '],"auth_chain":[', listText(telling.authChain(), pduText), ']}']);
}
