import { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseRoomEvent } from '#protocol/parse-room-event';
import type { StateEntry } from '#protocol/state-trie/state-trie';
import type { TakenMembership } from '#rooms/commands/take-membership';
import { StateTelling } from '#rooms/queries/tell-state';
import { readSummary } from '#sync/parts/summary-part';
import { ServersInRooms } from '../sending/servers-in-rooms.js';

/** PERF: small writes cost more than the bytes in them. */
const CHUNK = 64 * 1024;

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
    eventId: EventId,
    { version, pdu, position }: TakenMembership,
    { isV1 = false, omitsMembers = false } = {},
  ): Promise<Readable> {
    const telling = await StateTelling.before({ views: this.views, store: this.store }, roomId, eventId, position);
    telling.authorise(parseRoomEvent(pdu, version, roomId));
    const event = canonicalJson(pdu, { lenient: !version.strictCanonicalJson });
    const origin = `"origin":${JSON.stringify(this.config.serverName)},"event":${event}`;
    const servers = JSON.stringify([this.config.serverName, ...(await this.inRooms.of(roomId))]);
    const head = `${origin},"members_omitted":${omitsMembers},"servers_in_room":${servers}`;
    const told = omitsMembers ? new Set<string>(await this.#heroes(roomId, pdu['sender'] as UserId)) : undefined;
    const answer = textOf(head, telling, told);
    return Readable.from(inChunks(isV1 ? behindStatus(answer) : answer), { objectMode: false });
  }

  /** Those by whom a room is called that has no name. */
  async #heroes(roomId: RoomId, joining: UserId): Promise<readonly UserId[]> {
    return (await readSummary(this.views, roomId, joining)).heroes ?? [];
  }
}

/** `members`: of these alone the member events are told; undefined: of all. */
async function* textOf(
  head: string,
  telling: StateTelling,
  members: ReadonlySet<string> | undefined,
): AsyncGenerator<string, void> {
  yield `{${head},"state":[`;
  const isLeftOut = ({ type, stateKey }: StateEntry): boolean =>
    members !== undefined && type === 'm.room.member' && !members.has(stateKey);
  yield* separated(telling.state(isLeftOut));
  yield '],"auth_chain":[';
  yield* separated(telling.authChain());
  yield ']}';
}

async function* behindStatus(texts: AsyncIterable<string>): AsyncGenerator<string, void> {
  yield '[200,';
  yield* texts;
  yield ']';
}

async function* separated(texts: AsyncIterable<string>): AsyncGenerator<string, void> {
  let isFirst = true;
  for await (const text of texts) {
    yield isFirst ? text : `,${text}`;
    isFirst = false;
  }
}

async function* inChunks(texts: AsyncIterable<string>): AsyncGenerator<Buffer, void> {
  let chunk = '';
  for await (const text of texts) {
    chunk += text;
    if (chunk.length < CHUNK) continue;
    yield Buffer.from(chunk);
    chunk = '';
  }
  yield Buffer.from(chunk);
}
