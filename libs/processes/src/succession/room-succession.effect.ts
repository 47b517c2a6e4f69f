import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Accounts } from '#accounts/accounts';
import { SucceedRoom } from '#accounts/commands/succeed-room';
import type { AccountDataSet } from '#accounts/facts/account-facts';
import { findAccountData } from '#accounts/queries/account-data';
import { CONFIG, type Config } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import { type RoomId, type UserId, isRoomId } from '#kernel/ids';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Effect } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';
import { CopyRoomRules } from '#push/commands/copy-room-rules';
import { contentOfRow } from '#rooms/projections/timeline-row';
import { findRowInRoom, findStateRow } from '#rooms/queries/event-rows';
import { actForUser } from '../act-for-user.js';
import { type LocalJoin, directRoomsWith, localJoinOf } from './succession.js';

/**
 * Lets what users keep about a room follow them into the room that replaces it: tags, whether it is a direct chat, push rules.
 * When somebody of this server joins a room that names a predecessor, and then only: what they change later is theirs.
 * NOTSPEC: the module "Room Upgrades" leaves this to clients; most of them rely on servers that do it.
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
    return localJoinOf(fact, this.config.serverName)?.userId;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const join = localJoinOf(fact, this.config.serverName);
    const from = join && (await this.#predecessorOf(join));
    if (join === undefined || from === undefined || !(await this.#isNew(join))) return false;
    try {
      return await this.#follow(join, from, fact);
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error;
      // The account was closed meanwhile, or has all the push rules that it may have.
      this.#log.warn({ err: error, ...join }, 'what a user kept did not follow them into an upgraded room');
      return false;
    }
  }

  async #follow({ userId, roomId: to }: LocalJoin, from: RoomId, fact: RecordedFact): Promise<boolean> {
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

  /**
   * The room that this one replaces, where that is true: anybody can name a predecessor. The old room's tombstone says so too
   * or, as it comes last in an upgrade, whoever joins made the new room themselves.
   */
  async #predecessorOf({ userId, roomId }: LocalJoin): Promise<RoomId | undefined> {
    const create = await findStateRow(this.views, roomId, 'm.room.create', '');
    const predecessor = create && contentOfRow(create)['predecessor'];
    const from = isJsonObject(predecessor) ? predecessor['room_id'] : undefined;
    if (create === undefined || typeof from !== 'string' || !isRoomId(from)) return undefined;
    if (create.header.s === userId) return from;
    const tombstone = await findStateRow(this.views, from, 'm.room.tombstone', '');
    return tombstone !== undefined && contentOfRow(tombstone)['replacement_room'] === roomId ? from : undefined;
  }

  /** Whether the user was not in the room already: a new display name is a join too. */
  async #isNew({ roomId, replaces }: LocalJoin): Promise<boolean> {
    const before = replaces && (await findRowInRoom(this.views, roomId, replaces));
    return before === undefined || contentOfRow(before)['membership'] !== 'join';
  }
}
