import { Inject, Injectable } from '@nestjs/common';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import { Slots } from '#kernel/slots';
import { Turn } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import { NOBODY, type PushVerdict } from '#protocol/push-rules/evaluate-rules';
import { CompiledRules } from '#push/compiled-rules';
import { gatewayOf } from '#push/digests/mail-pusher';
import type { PusherSet } from '#push/facts/pusher-facts';
import type { PushedEvent } from '#push/gateway/notification';
import { PUSHERS } from '#push/projections/pushers.projector';
import { MARKS_STREAM_PREFIX, USER_STREAM_PREFIX, userIdOfStream } from '#kernel/user-stream';
import { ELSEWHERE_STREAM_PREFIX, type MembershipTold, userIdOfElsewhere } from '#rooms/facts/elsewhere-facts';
import { mayChangePolicy } from '#rooms/facts/retention-facts';
import { headerTextOf, moderates } from '#rooms/facts/fact-text';
import { roomIdOfStream } from '#rooms/facts/room-facts';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { type Badge, Badges } from '#sync/unread/badges';
import { eventOfRow } from '#sync/unread/push-context';
import { describeEvent, describeInvitation, invitationOf } from './describe-event.js';
import { EvaluateEvent, LATER, type VerdictFor } from './evaluate-event.js';
import { listToldPushers } from './list-told-pushers.js';
import type { EventToPush } from './push-item.js';
import { PushLanes } from './push-lanes.js';
import { PushedUsers } from './pushed-users.js';

/** What a gateway of a user is to be told: of an event, or of the number of what is unread. */
export interface PushDue {
  readonly userId: UserId;
  /** Undefined: no gateway, but the user is mailed of the event, if it is not read until then. */
  readonly url: string | undefined;
  readonly event?: EventToPush;
  /** Beside a mail: no gateway is told anything of the user. */
  readonly isMailedAlone?: boolean;
  /** The number is of interest only where the gateway was told one before. */
  readonly ifTold?: true;
}

type Describe = (userId: UserId) => PushedEvent;

const DESCRIBED = 64;
/** PERF: the pushers of one are read in some microseconds. */
const USERS_PER_LOOK = 8;
/** Of so many users at a time rules are asked that take a while: others wait for each other alone. */
const HEAVY_AT_ONCE = 2;

/** Finds what follows from a fact for the gateways of users. */
@Injectable()
export class FindPushes {
  readonly #described = new LruCache<string, Promise<Describe | undefined>>(DESCRIBED);
  readonly #heavy = new Slots(HEAVY_AT_ONCE);

  constructor(
    private readonly users: PushedUsers,
    private readonly evaluation: EvaluateEvent,
    private readonly rules: CompiledRules,
    private readonly lanes: PushLanes,
    private readonly badges: Badges,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#described.numbers;
  }

  async of(fact: RecordedFact): Promise<PushDue[]> {
    const { type, stream, position } = fact;
    if (stream.startsWith(ELSEWHERE_STREAM_PREFIX)) return this.#ofElsewhere(fact);
    if (stream.startsWith(MARKS_STREAM_PREFIX)) return this.#numbersFor([userIdOfStream(stream)]);
    if (stream.startsWith(USER_STREAM_PREFIX)) return this.#numbersFor([userIdOfStream(stream)], { ifTold: true });
    const roomId = roomIdOfStream(stream);
    if (type === 'pdu-redacted') return this.#numbersFor(await this.users.in(roomId), { ifTold: true });
    const due = await this.#ofRoom(roomId, position);
    // What is hidden, or shown again, or kept for another time, is another number.
    return moderates(fact.data) || mayChangePolicy(headerTextOf(fact.data))
      ? [...due, ...(await this.#numbersFor(await this.users.in(roomId), { ifTold: true }))]
      : due;
  }

  /** The gateways that are owed something by the log: each of a user once, whatever pushers of theirs it serves. */
  async owed(): Promise<{ readonly userId: UserId; readonly url: string }[]> {
    const due = new Map<string, { readonly userId: UserId; readonly url: string }>();
    for await (const page of PUSHERS.pages(this.views, {})) {
      for (const { key, value } of page) {
        const [userId, url] = [key[0], String(value.data['url'])];
        if (value.behind === true) due.set(`${userId} ${url}`, { userId, url });
      }
    }
    return [...due.values()];
  }

  /** The newest event that is unread for a user. */
  async newestOf(userId: UserId, { newest }: Badge): Promise<EventToPush | undefined> {
    if (newest === undefined) return undefined;
    return this.#eventAt(userId, newest.roomId, newest.event.position);
  }

  /**
   * What takes a while is done before it is a gateway's turn: asks rules that do, and counts what is unread by them, which is known then. False
   * where they let nothing be told of the event.
   */
  async prepare(userId: UserId, event: EventToPush | undefined): Promise<boolean> {
    const { isHeavy } = await this.rules.recall(userId);
    if (!isHeavy && event?.askRules === undefined) return true;
    return this.#heavy.run(async () => {
      if (event?.askRules !== undefined && !(await event.askRules())) return false;
      await this.badges.read(userId);
      return true;
    });
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
    const due: PushDue[] = [];
    const turn = new Turn(USERS_PER_LOOK);
    for (const [userId, verdictFor] of found) {
      const pushers = await this.#pushersOf(userId);
      const event =
        verdictFor === LATER
          ? laterEvent({ roomId, position }, () => this.#eventAt(userId, roomId, position))
          : await this.#eventFor(userId, roomId, row, verdictFor, pushers);
      due.push(...toGateways(userId, event, pushers));
      if (turn.isOver()) await turn.pass();
    }
    return due;
  }

  /** An event of a room, by rules that may take a while; undefined where it is gone, or they let nothing be told of it. */
  async #eventAt(userId: UserId, roomId: RoomId, position: Position): Promise<EventToPush | undefined> {
    const row = await this.#rowAt(roomId, position);
    const verdictFor = row && (await this.evaluation.evaluateFor(userId, roomId, row, position));
    return row && verdictFor && this.#eventFor(userId, roomId, row, verdictFor);
  }

  /** An event of a room that is here. */
  async #eventFor(
    userId: UserId,
    roomId: RoomId,
    { header: { position, eventId, membership, stateKey } }: TimelineRow,
    verdictFor: VerdictFor,
    pushers?: readonly PusherSet[],
  ): Promise<EventToPush> {
    const isInvitation = membership === 'invite' && stateKey === userId;
    const { isCounted, tweaksFor } = await readVerdicts(verdictFor, pushers ?? (await this.#pushersOf(userId)));
    const isDue = (badge: Badge): boolean | Promise<boolean> => {
      if (isInvitation) return badge.isInvitedTo(roomId);
      // What only the rules of a device let be told is counted nowhere.
      return isCounted ? badge.hasUnread(roomId, eventId) : this.#isUnread(userId, roomId, position);
    };
    return { roomId, position, tweaksFor, isDue, describe: (one) => this.#describe(roomId, position, one) };
  }

  async #isUnread(userId: UserId, roomId: RoomId, position: Position): Promise<boolean> {
    const row = await this.#rowAt(roomId, position);
    return row !== undefined && this.evaluation.isUnread(roomId, row, userId);
  }

  /** PERF: what is told of an event is the same for all who are told. That it is there still is known by then (`isDue`). */
  async #describe(roomId: RoomId, position: Position, userId: UserId): Promise<PushedEvent | undefined> {
    const key = `${roomId} ${position}`;
    let describing = this.#described.get(key);
    if (describing === undefined) {
      const look = async (): Promise<Describe | undefined> => {
        const row = await this.#rowAt(roomId, position);
        return row && describeEvent(this.views, eventOfRow(roomId, row));
      };
      this.#described.set(key, (describing = look()));
      describing.catch(() => this.#described.delete(key));
    }
    return (await describing)?.(userId);
  }

  /** An invitation to a room that is not here, or its end. */
  async #ofElsewhere({ stream, data, position }: RecordedFact): Promise<PushDue[]> {
    const userId = userIdOfElsewhere(stream);
    const told = JSON.parse(data) as MembershipTold; // written by the rooms
    if (told.membership !== 'invite') return this.#numbersFor([userId]);
    const invitation = invitationOf(told);
    const describe = describeInvitation(told, invitation);
    const roomId = told.room_id;
    const pushers = await this.#pushersOf(userId);
    const isDue = (badge: Badge): boolean => badge.isInvitedTo(roomId);
    const make = async (): Promise<EventToPush> => {
      const rules = await this.rules.of(userId);
      const verdictFor: VerdictFor = (profileTag) =>
        rules.evaluateFor(profileTag)(invitation, { ...NOBODY, profileTag });
      const { tweaksFor } = await readVerdicts(verdictFor, pushers);
      return { roomId, position, tweaksFor, isDue, describe: async (one) => describe(one) };
    };
    const { isHeavy } = await this.rules.of(userId);
    return toGateways(userId, isHeavy ? laterEvent({ roomId, position }, make) : await make(), pushers);
  }

  async #numbersFor(users: readonly UserId[], how: Pick<PushDue, 'ifTold'> = {}): Promise<PushDue[]> {
    const due: PushDue[] = [];
    const turn = new Turn(USERS_PER_LOOK);
    for (const userId of users) {
      if (turn.isOver()) await turn.pass();
      if (how.ifTold === true && !this.lanes.isNumberKnownOf(userId)) continue;
      const urls = new Set((await this.#pushersOf(userId)).map(gatewayOf));
      for (const url of urls) if (url !== undefined) due.push({ userId, url, ...how });
    }
    return due;
  }

  async #pushersOf(userId: UserId): Promise<PusherSet[]> {
    return (await listToldPushers(this.views, userId)).filter(({ enabled }) => enabled);
  }

  /** An event that is there and not redacted. */
  async #rowAt(roomId: RoomId, position: Position): Promise<TimelineRow | undefined> {
    const text = await TIMELINE.get(this.views, [roomId, position]);
    const row = text === undefined ? undefined : parseRow(text);
    return row?.header.redactedBy === undefined ? row : undefined;
  }
}

/** An event of which is known only later what a user's rules say of it. */
function laterEvent(
  { roomId, position }: Pick<EventToPush, 'roomId' | 'position'>,
  ask: () => Promise<EventToPush | undefined>,
): EventToPush {
  let known: EventToPush | undefined;
  return {
    roomId,
    position,
    askRules: async () => (known = await ask()) !== undefined,
    tweaksFor: (pusher) => known?.tweaksFor(pusher),
    isDue: (badge) => known?.isDue(badge) ?? false,
    describe: async (userId) => known?.describe(userId),
  };
}

/** An event goes once to each gateway of a user that has a pusher whose rules let it be told, or may do so, and is mailed where one mails. */
function toGateways(userId: UserId, event: EventToPush, pushers: readonly PusherSet[]): PushDue[] {
  const told = pushers.filter((pusher) => event.askRules !== undefined || event.tweaksFor(pusher) !== undefined);
  const isMailedAlone = pushers.every((pusher) => gatewayOf(pusher) === undefined);
  return [...new Set(told.map(gatewayOf))].map((url) => ({ userId, url, event, isMailedAlone }));
}

/** What a user's rules say of an event for their pushers, and whether it counts as unread. One with a tag that comes later is told as those without. */
async function readVerdicts(
  verdictFor: VerdictFor,
  pushers: readonly PusherSet[],
): Promise<Pick<EventToPush, 'tweaksFor'> & { readonly isCounted: boolean }> {
  const verdicts = new Map<string | undefined, PushVerdict>();
  for (const tag of [undefined, ...pushers.map(({ profile_tag }) => profile_tag)])
    if (!verdicts.has(tag)) verdicts.set(tag, await verdictFor(tag));
  const tweaksFor = ({ profile_tag: tag }: PusherSet): JsonObject | undefined => {
    const { notify, tweaks } = verdicts.get(tag) ?? verdicts.get(undefined)!;
    return notify ? tweaks : undefined;
  };
  return { tweaksFor, isCounted: verdicts.get(undefined)!.notify };
}
