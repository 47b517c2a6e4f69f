import { Inject, Injectable } from '@nestjs/common';
import { BY_SERVER } from '#accounts/accounts';
import { isSaidAgain } from '#event-store/shorten-stream';
import type { RecordedFact } from '#event-store/event-store';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { KeyedQueue } from '#kernel/keyed-queue';
import { Slots } from '#kernel/slots';
import type { Effect } from '#projections/effects/effect';
import { CompiledRules } from '#push/compiled-rules';
import { gatewayOf } from '#push/digests/mail-pusher';
import { isPushRuleFactType } from '#push/facts/push-rule-facts';
import { PUSHERS_STREAM_PREFIX, type PusherSet, userIdOfPushers } from '#push/facts/pusher-facts';
import { endsPushRules } from '#push/rules/fold-push-rules';
import { MARKS_STREAM_PREFIX, USER_STREAM_PREFIX, userIdOfStream } from '#kernel/user-stream';
import { ELSEWHERE_STREAM_PREFIX, userIdOfElsewhere } from '#rooms/facts/elsewhere-facts';
import { isOfThePast } from '#rooms/facts/fact-text';
import { ROOM_STREAM_PREFIX, roomIdOfStream } from '#rooms/facts/room-facts';
import { Digests } from '../digests/digests.js';
import { PushLanes } from './push-lanes.js';
import { PushedUsers } from './pushed-users.js';
import { FindPushes, type PushDue } from './find-pushes.js';

/** So many facts are looked at at once: a large room does not hold up all others. */
const LOOKED_AT_AT_ONCE = 4;
/** Of the facts that may be under way at once (`EffectLane`): with more of them waiting for gateways that are away no others are looked at. */
const CROWDED = 300;

/**
 * Pushes what happens to the gateways of users (client-server API, "Push Notifications"; push gateway API): events that their rules let
 * notify them, as they are accepted, and the number of what is unread once they have read something. A fact has ended when each
 * gateway has it, or when the log says that it is owed something, or that there is something to mail. After a crash some of it is told again, unless it was read
 * meanwhile, and nothing is missed.
 */
@Injectable()
export class SendPushes implements Effect {
  readonly name = 'push';
  readonly handsOver = true;
  readonly #reading = new KeyedQueue<string>();
  readonly #slots = new Slots(LOOKED_AT_AT_ONCE);
  #underWay = 0;

  constructor(
    private readonly users: PushedUsers,
    private readonly rules: CompiledRules,
    private readonly find: FindPushes,
    private readonly lanes: PushLanes,
    private readonly digests: Digests,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {}

  async begin(): Promise<void> {
    // What changed while another process ran this was not heard of here.
    this.rules.forgetAll();
    this.lanes.begin({
      newestOf: (userId, badge) => this.find.newestOf(userId, badge),
      prepare: (userId, event) => this.find.prepare(userId, event),
      isCrowded: () => this.#underWay > CROWDED,
    });
    await this.users.begin();
    this.digests.begin();
    // How much is unread for whom is read once it is their turn: a start waits for none of it.
    for (const { userId, url } of await this.find.owed())
      this.lanes.add(userId, url, { isOwed: true, since: this.stopwatch.elapsed(), ended: () => {} }, true);
  }

  end(): void {
    this.digests.end();
    this.lanes.end();
  }

  /** PERF: where nobody has a pusher it looks at the type alone, and of a room in which nobody has one into a map. */
  keyOf(fact: RecordedFact): string | undefined {
    const { type, stream } = fact;
    if (isPushRuleFactType(type) || endsPushRules(fact)) this.rules.forget(userIdOfStream(stream));
    this.users.hear(fact);
    if (type === 'pusher-set' && !isSaidAgain(fact)) this.#forget(fact);
    if (this.users.size === 0) return undefined;
    return this.#concerns(fact) ? stream : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    // Of each room and user in the order of the log. All is known before anything is given: what fails is tried again as a whole.
    const due = await this.#reading.run(fact.stream, () => this.#slots.run(() => this.find.of(fact)));
    this.#underWay++;
    await Promise.all(due.map((one) => this.#give(one))).finally(() => this.#underWay--);
    return due.length > 0;
  }

  #concerns(fact: RecordedFact): boolean {
    const { type, stream, data } = fact;
    if (stream.startsWith(ROOM_STREAM_PREFIX)) {
      if (type === 'pdu-redacted') return !this.users.isNobodyIn(roomIdOfStream(stream));
      if (type !== 'pdu-accepted' || isOfThePast(data)) return false;
      // Whoever is invited, or put out, is not in the room.
      return !this.users.isNobodyIn(roomIdOfStream(stream)) || data.includes('"m.room.member"');
    }
    if (stream.startsWith(MARKS_STREAM_PREFIX))
      return type === 'receipt-set' && !isSaidAgain(fact) && this.users.has(userIdOfStream(stream));
    if (stream.startsWith(ELSEWHERE_STREAM_PREFIX))
      return type === 'membership-told' && this.users.has(userIdOfElsewhere(stream));
    if (!stream.startsWith(USER_STREAM_PREFIX) || !this.users.has(userIdOfStream(stream))) return false;
    return isPushRuleFactType(type) || (type === 'account-data-set' && data.includes('"m.ignored_user_list"'));
  }

  #forget({ stream, data, metadata }: RecordedFact): void {
    // What the server notes of a pusher makes it no other one.
    if (!stream.startsWith(PUSHERS_STREAM_PREFIX) || metadata.actor === BY_SERVER.actor) return;
    const userId = userIdOfPushers(stream);
    const pusher = JSON.parse(data) as PusherSet; // written by the domain of push
    this.digests.forget(userId);
    const url = gatewayOf(pusher);
    if (url !== undefined) this.lanes.forget(userId, url, pusher.set_at);
  }

  async #give({ userId, url, event, ifTold, isMailedAlone }: PushDue): Promise<void> {
    if (url === undefined) return event && this.digests.note(userId, event, isMailedAlone === true);
    if (event === undefined && !this.lanes.needsNumber(userId, url, ifTold === true)) return;
    return new Promise((ended) => {
      this.lanes.add(userId, url, { event, since: this.stopwatch.elapsed(), ended });
    });
  }
}
