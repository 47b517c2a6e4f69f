import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Accounts } from '#accounts/accounts';
import { SucceedRoom } from '#accounts/commands/succeed-room';
import type { AccountDataSet, RoomSucceeded } from '#accounts/facts/account-facts';
import { findAccountData } from '#accounts/queries/account-data';
import { CONFIG, type Config } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import { type RoomId, type UserId, isRoomId, serverNameOf } from '#kernel/ids';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import type { Effect } from '#projections/effects/effect';
import { ROOM_MEMBERS } from '#rooms/projections/membership.projector';
import { VIEWS, type Views } from '#projections/views';
import { CompleteUpgrade } from '#rooms/commands/complete-upgrade';
import { CopyRoomRules } from '#push/commands/copy-room-rules';
import { roomIdOfStream } from '#rooms/facts/room-facts';
import { contentOfRow } from '#rooms/projections/timeline-row';
import { findRowInRoom } from '#rooms/reading/event-rows';
import { findStateRow } from '#rooms/queries/state-rows';
import { actForUser } from '../act-for-user.js';
import { type LocalJoin, directRoomsWith, localJoinOf, replacementOf } from './succession.js';

/** That a room replaces another, and whether a user of this server says so. */
interface Succession extends RoomSucceeded {
  readonly isOurs: boolean;
}

/**
 * Lets what users keep about a room follow them into the room that replaces it: tags, whether it is a direct chat, push rules.
 * Once, as soon as they are in a room that names a predecessor whose tombstone names it: what they change later is theirs.
 * NOTSPEC: the module "Room Upgrades" leaves this to clients; most of them rely on servers that do it. So do they for the aliases of this
 * server and its directory, where the room was upgraded by another one.
 */
@Injectable()
export class RoomSuccession implements Effect {
  readonly name = 'room-succession';
  readonly #log = new Logger('processes');

  constructor(
    private readonly commands: CommandBus,
    private readonly accounts: Accounts,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  keyOf(fact: RecordedFact): string | undefined {
    const join = localJoinOf(fact, this.config.serverName);
    if (join !== undefined) return join.userId;
    return replacementOf(fact) === undefined ? undefined : roomIdOfStream(fact.stream);
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const join = localJoinOf(fact, this.config.serverName);
    const to = join?.roomId ?? replacementOf(fact);
    const succession = to && (await this.#successionTo(to));
    if (to === undefined || succession === undefined) return false;
    if (join !== undefined) return (await this.#isNew(join)) && this.#followOf(join.userId, succession, fact);
    // The tombstone came after some had joined: who made the replacement, and whom they asked into it.
    let hasFollowed = false;
    for await (const page of ROOM_MEMBERS.pages(this.views, { prefix: [to, 'join'] })) {
      for (const {
        key: [, , userId],
      } of page) {
        if (serverNameOf(userId) !== this.config.serverName) continue;
        if (await this.#followOf(userId, succession, fact)) hasFollowed = true;
      }
    }
    return hasFollowed;
  }

  async #followOf(userId: UserId, { isOurs, ...rooms }: Succession, fact: RecordedFact): Promise<boolean> {
    try {
      // What this server has of the room follows with the first of its users, where no upgrade here moves it.
      if (!isOurs) await this.commands.execute(new CompleteUpgrade(actForUser(userId, fact), rooms.from, rooms.to));
      return await this.#follow(userId, rooms, fact);
    } catch (error) {
      if (!(error instanceof MatrixError) || mayPass(error)) throw error;
      // The account was closed meanwhile, or has all the push rules that it may have.
      this.#log.warn({ err: error, userId, ...rooms }, 'what a user kept did not follow them into an upgraded room');
      return false;
    }
  }

  async #follow(userId: UserId, { from, to }: RoomSucceeded, fact: RecordedFact): Promise<boolean> {
    // It has followed already; what the user changed of it since is theirs.
    if ((await this.accounts.load(userId)).successors.has(to)) return false;
    const requester = actForUser(userId, fact);
    const data = await this.#dataThatFollows(userId, from, to);
    const hasRules = await this.commands.execute(new CopyRoomRules(requester, from, to));
    if (!hasRules && data.length === 0) return false;
    await this.commands.execute(new SucceedRoom(requester, { from, to }, data));
    return true;
  }

  /** The tags, where the new room has none, and `m.direct` with the new room beside the old one. */
  async #dataThatFollows(userId: UserId, from: RoomId, to: RoomId): Promise<AccountDataSet[]> {
    const [tags, known, direct] = await Promise.all([
      findAccountData(this.views, userId, from, 'm.tag'),
      findAccountData(this.views, userId, to, 'm.tag'),
      findAccountData(this.views, userId, undefined, 'm.direct'),
    ]);
    const data: AccountDataSet[] = [];
    if (tags !== undefined && known === undefined) {
      data.push({ room_id: to, type: 'm.tag', content: JSON.parse(tags.content) as JsonObject });
    }
    const content = direct && directRoomsWith(JSON.parse(direct.content) as JsonObject, from, to);
    if (content !== undefined) data.push({ type: 'm.direct', content });
    return data;
  }

  /** How a room replaces another one. Anybody can name a predecessor: the old room's tombstone has to say so too. */
  async #successionTo(to: RoomId): Promise<Succession | undefined> {
    const create = await findStateRow(this.views, to, 'm.room.create', '');
    const predecessor = create && contentOfRow(create)['predecessor'];
    const from = isJsonObject(predecessor) ? predecessor['room_id'] : undefined;
    if (typeof from !== 'string' || !isRoomId(from)) return undefined;
    const tombstone = await findStateRow(this.views, from, 'm.room.tombstone', '');
    if (tombstone === undefined || contentOfRow(tombstone)['replacement_room'] !== to) return undefined;
    return { from, to, isOurs: serverNameOf(tombstone.header.sender) === this.config.serverName };
  }

  /** Whether the user was not in the room already: a new display name is a join too. */
  async #isNew({ roomId, replaces }: LocalJoin): Promise<boolean> {
    const before = replaces && (await findRowInRoom(this.views, roomId, replaces));
    return before === undefined || contentOfRow(before)['membership'] !== 'join';
  }
}
