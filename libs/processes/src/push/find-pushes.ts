import { Inject, Injectable } from '@nestjs/common';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { CompiledRules } from '#push/compiled-rules';
import type { PusherSet } from '#push/facts/pusher-facts';
import { PUSHERS } from '#push/projections/pushers.projector';
import { listPushers } from '#push/queries/list-pushers';
import { MARKS_STREAM_PREFIX, USER_STREAM_PREFIX, userIdOfStream } from '#kernel/user-stream';
import { ELSEWHERE_STREAM_PREFIX, type MembershipTold, userIdOfElsewhere } from '#rooms/facts/elsewhere-facts';
import { roomIdOfStream } from '#rooms/facts/room-facts';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { findRoomReader } from '#rooms/reading/room-reader';
import { readerOf } from '#rooms/reading/reader';
import { type Badge, Badges } from '#sync/unread/badges';
import { eventOfRow } from '#sync/unread/push-context';
import { describeEvent, describeInvitation, invitationOf } from './describe-event.js';
import { EvaluateEvent, type VerdictFor } from './evaluate-event.js';
import type { EventToPush } from './push-item.js';
import { PushedUsers } from './pushed-users.js';

/** What a gateway of a user is to be told: of an event, or of the number of what is unread. */
export interface PushDue {
  readonly userId: UserId;
  readonly url: string;
  readonly event?: EventToPush;
  /** The number is of interest only where the gateway was told one before. */
  readonly ifTold?: true;
}

/** Finds what follows from a fact for the gateways of users. */
@Injectable()
export class FindPushes {
  constructor(
    private readonly users: PushedUsers,
    private readonly evaluation: EvaluateEvent,
    private readonly rules: CompiledRules,
    private readonly badges: Badges,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async of(fact: RecordedFact): Promise<PushDue[]> {
    const { type, stream, position } = fact;
    if (stream.startsWith(ELSEWHERE_STREAM_PREFIX)) return this.#ofElsewhere(fact);
    if (stream.startsWith(MARKS_STREAM_PREFIX)) return this.#numbersFor([userIdOfStream(stream)]);
    if (stream.startsWith(USER_STREAM_PREFIX)) return this.#numbersFor([userIdOfStream(stream)], { ifTold: true });
    const roomId = roomIdOfStream(stream);
    if (type === 'pdu-redacted') return this.#numbersFor(await this.users.in(roomId), { ifTold: true });
    return this.#ofRoom(roomId, position);
  }

  /** What gateways are owed by the log: the newest event that is unread, or the number where there is none. */
  async owed(): Promise<PushDue[]> {
    const due: PushDue[] = [];
    for await (const page of PUSHERS.pages(this.views, {})) {
      for (const { key, value } of page) {
        if (value.behind !== true) continue;
        const [userId] = key;
        const { newest } = await this.badges.read(userId);
        const event = newest && (await this.#eventAt(newest.roomId, newest.event.position, userId));
        due.push({ userId, url: String(value.data['url']), ...(event === undefined ? {} : { event }) });
      }
    }
    return due;
  }

  async #ofRoom(roomId: RoomId, position: Position): Promise<PushDue[]> {
    const row = await this.#rowAt(roomId, position);
    if (row === undefined) return [];
    const { sender, stateKey, membership } = row.header;
    const target = membership === undefined ? undefined : (stateKey as UserId);
    const isTold = target !== undefined && target !== sender && this.users.has(target);
    const members = (await this.users.in(roomId)).filter((userId) => userId !== sender);
    const asked = isTold && membership === 'invite' && !members.includes(target) ? [...members, target] : members;
    const due = await this.#dueOf(roomId, row, asked, position);
    // Who says something has read what was before; who comes or goes has nothing or something else to read there.
    const readers = [sender, ...(isTold && membership !== 'invite' ? [target] : [])].filter((one) =>
      this.users.has(one),
    );
    const how = membership === undefined ? {} : ({ ifTold: true } as const);
    return [...due, ...(await this.#numbersFor(readers, how))];
  }

  async #dueOf(roomId: RoomId, row: TimelineRow, users: readonly UserId[], position: Position): Promise<PushDue[]> {
    if (users.length === 0) return [];
    const found = await this.evaluation.evaluate(roomId, row, users, position);
    if (found.size === 0) return [];
    const describe = await describeEvent(this.views, eventOfRow(roomId, row));
    const due: PushDue[] = [];
    for (const [userId, verdictFor] of found) {
      const event: EventToPush = {
        tweaksFor: tweaksBy(verdictFor),
        isDue: (badge) => this.#isDue(badge, roomId, row, userId),
        describe: async () => ((await this.#rowAt(roomId, position)) === undefined ? undefined : describe(userId)),
      };
      due.push(...(await this.#toGatewaysOf(userId, event)));
    }
    return due;
  }

  async #eventAt(roomId: RoomId, position: Position, userId: UserId): Promise<EventToPush | undefined> {
    const row = await this.#rowAt(roomId, position);
    const [due] = row === undefined ? [] : await this.#dueOf(roomId, row, [userId], position);
    return due?.event;
  }

  /** An invitation to a room that is not here, or its end. */
  async #ofElsewhere({ stream, data }: RecordedFact): Promise<PushDue[]> {
    const userId = userIdOfElsewhere(stream);
    const told = JSON.parse(data) as MembershipTold; // written by the rooms
    if (told.membership !== 'invite') return this.#numbersFor([userId]);
    const invitation = invitationOf(told);
    const rules = await this.rules.of(userId);
    const context = { displayName: undefined, memberCount: 0, senderPowerLevel: 0, notificationLevels: {} };
    const verdictFor: VerdictFor = (profileTag) =>
      rules.evaluateFor(profileTag)(invitation, { ...context, profileTag });
    const describe = describeInvitation(told, invitation);
    return this.#toGatewaysOf(userId, {
      tweaksFor: tweaksBy(verdictFor),
      isDue: (badge) => badge.isInvitedTo(told.room_id),
      describe: () => Promise.resolve(describe(userId)),
    });
  }

  async #isDue(badge: Badge, roomId: RoomId, row: TimelineRow, userId: UserId): Promise<boolean> {
    const { header } = row;
    if (header.membership === 'invite' && header.stateKey === userId) return badge.isInvitedTo(roomId);
    if (badge.hasUnread(roomId, header.eventId)) return true;
    // What only the rules of a device let be told is not counted.
    if (!(await this.rules.of(userId)).mayNotifyByTag) return false;
    const reader = await readerOf(this.views, { userId });
    const room = await findRoomReader(this.views, roomId, reader);
    return room.isIn && (await room.over([row])).isShown(header);
  }

  async #toGatewaysOf(userId: UserId, event: EventToPush): Promise<PushDue[]> {
    const told = async (pusher: PusherSet): Promise<boolean> =>
      pusher.enabled && (await event.tweaksFor(pusher)) !== undefined;
    return [...(await this.#gatewaysOf(userId, told))].map((url) => ({ userId, url, event }));
  }

  async #numbersFor(users: readonly UserId[], how: Pick<PushDue, 'ifTold'> = {}): Promise<PushDue[]> {
    const due: PushDue[] = [];
    for (const userId of users) {
      for (const url of await this.#gatewaysOf(userId, ({ enabled }) => enabled)) due.push({ userId, url, ...how });
    }
    return due;
  }

  async #gatewaysOf(userId: UserId, isMeant: (pusher: PusherSet) => boolean | Promise<boolean>): Promise<Set<string>> {
    const urls = new Set<string>();
    for (const pusher of await listPushers(this.views, userId))
      if (await isMeant(pusher)) urls.add(String(pusher.data['url']));
    return urls;
  }

  /** An event that is there and not redacted. */
  async #rowAt(roomId: RoomId, position: Position): Promise<TimelineRow | undefined> {
    const text = await TIMELINE.get(this.views, [roomId, position]);
    const row = text === undefined ? undefined : parseRow(text);
    return row?.header.redactedBy === undefined ? row : undefined;
  }
}

function tweaksBy(verdictFor: VerdictFor): EventToPush['tweaksFor'] {
  return async ({ profile_tag: tag }) => {
    const { notify, tweaks } = await verdictFor(tag);
    return notify ? tweaks : undefined;
  };
}
