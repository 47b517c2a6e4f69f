import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { RoomId, UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { nameForMail, userForMail } from '#mail/names-of-strangers';
import { VIEWS, type Views } from '#projections/views';
import { ELSEWHERE } from '#rooms/projections/elsewhere-rows';
import { MEMBERS } from '#rooms/projections/membership.projector';
import { ROOMS, type RoomSummary } from '#rooms/projections/room-summary.projector';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { followerOf, type Reader } from '#rooms/reading/reader';
import { findRoomReader } from '#rooms/reading/room-reader';
import { servedWhole } from '#rooms/reading/withhold';
import { readSummary } from '#sync/parts/summary-part';
import type { UnreadRoom } from './gather-digest.js';
import { linkToRoom } from './link-to-room.js';
import { plainLine } from './plain-text.js';
import { type SaidNow, sayNow } from './said-now.js';
import { sayEvent } from './say-event.js';

/** What somebody said that is unread. */
export interface Quote {
  readonly who: string;
  /** In milliseconds since the epoch, by whom said it. */
  readonly at: number;
  readonly says: string;
}

/** A room as a mail tells of it. */
export interface DescribedRoom {
  readonly name: string;
  readonly url: string;
  /** Who invites the user, where that is all there is of it. */
  readonly invitedBy: string | undefined;
  /** The last of what is unread; nothing of a room that is encrypted. */
  readonly quotes: readonly Quote[];
  /** How many events are unread, with those that are told. */
  readonly unread: number;
  readonly highlights: number;
  readonly isEncrypted: boolean;
}

const MOST_NAME = 60;
const MOST_QUOTES = 6;
const NAMED_AFTER = 3;

/** Reads what a mail tells of rooms: what the user may see of them now, by the names of now. */
@Injectable()
export class DescribeDigest {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'digests' | 'serverName'>,
  ) {}

  /** Those of some rooms of which there is anything to tell, in their order. */
  async describe(userId: UserId, rooms: readonly UnreadRoom[]): Promise<DescribedRoom[]> {
    const reader = await followerOf(this.views, { userId });
    const described: DescribedRoom[] = [];
    for (const room of rooms) {
      const one =
        room.positions.length === 0 ? await this.#invitation(userId, room) : await this.#messages(reader, room);
      if (one !== undefined) described.push(one);
    }
    return described;
  }

  async #messages(reader: Reader, { roomId, positions, highlights }: UnreadRoom): Promise<DescribedRoom | undefined> {
    const summary = await ROOMS.get(this.views, [roomId]);
    // What is read first, and what came last.
    const asked = [...new Set([positions[0]!, ...positions.slice(-MOST_QUOTES)])];
    const texts = await TIMELINE.getMany(
      this.views,
      asked.map((position) => [roomId, position]),
    );
    const there = texts.flatMap((text) => (text === undefined ? [] : [parseRow(text)]));
    const rows = there.filter(({ header }) => header.redactedBy === undefined);
    const room = await (await findRoomReader(this.views, roomId, reader)).over(rows);
    const said = await sayNow(room, await servedWhole(room, rows));
    if (said.length === 0) return undefined;
    const isEncrypted = summary?.encryption !== undefined;
    return {
      name: await this.#nameOf(roomId, summary, reader.userId),
      url: this.#urlOf(roomId, said[0]!.row),
      invitedBy: undefined,
      quotes: isEncrypted ? [] : await this.#quotes(roomId, reader.userId, said.slice(-MOST_QUOTES)),
      unread: positions.length - (asked.length - said.length),
      highlights,
      isEncrypted,
    };
  }

  async #quotes(roomId: RoomId, userId: UserId, said: readonly SaidNow[]): Promise<Quote[]> {
    const names = await this.#namesOf(
      roomId,
      said.map(({ row }) => row.header.sender),
    );
    return said.map(({ row, content }, i) => {
      const { type, sentAt, stateKey } = row.header;
      return { who: names[i]!, at: sentAt, says: sayEvent(type, content, stateKey === userId) };
    });
  }

  /**
   * An invitation, to a room that is here or by what another server told of it. Anybody may invite, so it names them and the room as a mail to a stranger does: what
   * else they write is not read by way of this server before they are let in.
   */
  async #invitation(userId: UserId, { roomId, upTo }: UnreadRoom): Promise<DescribedRoom | undefined> {
    const told = await ELSEWHERE.get(this.views, [userId, roomId, upTo]);
    const text = told?.member ?? (await TIMELINE.get(this.views, [roomId, upTo]));
    if (text === undefined) return undefined;
    const row = parseRow(text);
    const { sender } = row.header;
    const state = (told?.state ?? []).map((event) => JSON.parse(event) as JsonObject); // as the rooms wrote it
    const [name, displayname] =
      told === undefined
        ? [
            (await ROOMS.get(this.views, [roomId]))?.name,
            (await MEMBERS.get(this.views, [roomId, sender]))?.displayname,
          ]
        : [toldOf(state, 'm.room.name', 'name'), toldOf(state, 'm.room.member', 'displayname', sender)];
    const by = nameForMail(displayname) ?? userForMail(sender);
    return {
      name: nameForMail(name) ?? by,
      url: this.#urlOf(roomId, undefined),
      invitedBy: by,
      quotes: [],
      unread: 0,
      highlights: 0,
      isEncrypted: false,
    };
  }

  /** A room without a name is called by its alias, or by who is in it. */
  async #nameOf(roomId: RoomId, summary: RoomSummary | undefined, userId: UserId): Promise<string> {
    const name = lineOf(summary?.name) ?? lineOf(summary?.canonical_alias);
    if (name !== undefined) return name;
    const { heroes = [], joined, invited } = await readSummary(this.views, roomId, userId);
    const named = await this.#namesOf(roomId, heroes.slice(0, NAMED_AFTER));
    const others = joined + invited - 1 - named.length;
    if (named.length === 0) return 'A room without a name';
    return others > 0 ? `${named.join(', ')} and ${others} more` : named.join(', ');
  }

  async #namesOf(roomId: RoomId, users: readonly UserId[]): Promise<string[]> {
    const rows = await MEMBERS.getMany(
      this.views,
      users.map((user) => [roomId, user]),
    );
    return users.map((user, i) => lineOf(rows[i]?.displayname) ?? plainLine(user, MOST_NAME));
  }

  #urlOf(roomId: RoomId, row: TimelineRow | undefined): string {
    return linkToRoom(this.config, roomId, row?.header.eventId);
  }
}

function toldOf(state: readonly JsonObject[], type: string, key: string, stateKey = ''): unknown {
  const content = state.find((one) => one['type'] === type && one['state_key'] === stateKey)?.['content'];
  return isJsonObject(content) ? content[key] : undefined;
}

function lineOf(value: unknown): string | undefined {
  return typeof value === 'string' ? plainLine(value, MOST_NAME) || undefined : undefined;
}
