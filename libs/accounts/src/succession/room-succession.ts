import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import { type DeviceId, type RoomId, isRoomId } from '#kernel/ids';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { Requester } from '#kernel/requester';
import type { Listener } from '#projections/listener';
import { VIEWS, type Views } from '#projections/views';
import { ChangePushRule } from '#push/commands/change-push-rule';
import { SetPushRule } from '#push/commands/set-push-rule';
import { readPushRuleChanges } from '#push/queries/read-push-rules';
import type { UserRoomRow } from '#rooms/projections/membership.projector';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { findStateRow } from '#rooms/queries/event-rows';
import { SetAccountData } from '../commands/set-account-data.js';
import { findAccountData } from '../queries/account-data.js';
import { type LocalJoin, directRoomsWith, localJoinOf, succeedingRules } from './succession.js';

/**
 * Lets what users keep about a room follow them into the room that replaces it: tags, whether it is a direct chat, push rules.
 * When somebody of this server joins a room that names a predecessor, and then only: what they change later is theirs.
 * NOTSPEC: the module "Room Upgrades" leaves this to clients; most of them rely on servers that do it.
 */
@Injectable()
export class RoomSuccession implements Listener {
  readonly name = 'room-succession';
  readonly #turns = new KeyedQueue<string>();
  readonly #log = new Logger('accounts');

  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  hear(facts: readonly RecordedFact[]): void {
    for (const fact of facts) {
      const join = localJoinOf(fact, this.config.serverName);
      if (join === undefined) continue;
      this.#turns
        .run(join.userId, () => this.#follow(join, fact))
        .catch((error: unknown) => {
          this.#log.error({ err: error, ...join }, 'what a user kept did not follow them into an upgraded room');
        });
    }
  }

  async #follow(join: LocalJoin, fact: RecordedFact): Promise<void> {
    const from = await this.#predecessorOf(join);
    if (from === undefined || !(await this.#isNew(join))) return;
    const requester: Requester = {
      userId: join.userId,
      deviceId: (fact.metadata.device ?? '') as DeviceId, // What the server does for the user is done on no device.
      isAdmin: false,
      requestId: fact.metadata.correlation ?? fact.id,
    };
    await this.#copyTags(requester, from, join.roomId);
    await this.#copyDirect(requester, from, join.roomId);
    await this.#copyRules(requester, from, join.roomId);
  }

  /**
   * The room that this one replaces, where that is true: anybody can name a predecessor. The old room's tombstone says so too
   * or, as it comes last in an upgrade, whoever joins made the new room themselves.
   */
  async #predecessorOf({ userId, roomId }: LocalJoin): Promise<RoomId | undefined> {
    const create = await findStateRow(this.views, roomId, 'm.room.create', '');
    const predecessor = create && contentOf(create)['predecessor'];
    const from = isJsonObject(predecessor) ? predecessor['room_id'] : undefined;
    if (create === undefined || typeof from !== 'string' || !isRoomId(from)) return undefined;
    if (create.header.s === userId) return from;
    const tombstone = await findStateRow(this.views, from, 'm.room.tombstone', '');
    return tombstone !== undefined && contentOf(tombstone)['replacement_room'] === roomId ? from : undefined;
  }

  /** Whether the user was not in the room already: a new display name is a join too. */
  async #isNew({ userId, roomId }: LocalJoin): Promise<boolean> {
    const row = await this.views.get('user-rooms', [userId, roomId]);
    return row !== undefined && (JSON.parse(row) as UserRoomRow).prev !== 'join';
  }

  async #copyTags(requester: Requester, from: RoomId, to: RoomId): Promise<void> {
    const [old, known] = await Promise.all([
      findAccountData(this.views, requester.userId, from, 'm.tag'),
      findAccountData(this.views, requester.userId, to, 'm.tag'),
    ]);
    if (old === undefined || known !== undefined) return;
    const tags = JSON.parse(old.content) as JsonObject;
    await this.commands.execute(new SetAccountData(requester, to, 'm.tag', tags));
  }

  async #copyDirect(requester: Requester, from: RoomId, to: RoomId): Promise<void> {
    const direct = await findAccountData(this.views, requester.userId, undefined, 'm.direct');
    const next = direct && directRoomsWith(JSON.parse(direct.content) as JsonObject, from, to);
    if (next !== undefined) await this.commands.execute(new SetAccountData(requester, undefined, 'm.direct', next));
  }

  async #copyRules(requester: Requester, from: RoomId, to: RoomId): Promise<void> {
    const changes = await readPushRuleChanges(this.views, requester.userId);
    for (const { rule, enabled } of succeedingRules(changes, from, to)) {
      await this.commands.execute(new SetPushRule(requester, rule));
      if (!enabled) await this.commands.execute(new ChangePushRule(requester, rule.kind, rule.rule_id, { enabled }));
    }
  }
}

function contentOf(row: TimelineRow): JsonObject {
  return (JSON.parse(row.json) as { readonly content: JsonObject }).content;
}
