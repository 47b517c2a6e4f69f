import { Inject, Injectable } from '@nestjs/common';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { Turn } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import type { PushContext } from '#protocol/push-rules/push-conditions';
import type { PushVerdict } from '#protocol/push-rules/evaluate-rules';
import type { RoomEvent } from '#protocol/room-event';
import { CompiledRules, type UserRules } from '#push/compiled-rules';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { type Reader, followerOf } from '#rooms/reading/reader';
import { NotifiedRoom } from '#sync/unread/notified-room';
import { contextIn, eventOfRow } from '#sync/unread/push-context';
import { UnreadCounts } from '#sync/unread/unread-counts';
import { DigestNotes } from '../digests/digest-notes.js';

/** What the rules of a user say of an event, for a pusher with a profile tag or without one. */
export type VerdictFor = (profileTag: string | undefined) => PushVerdict | Promise<PushVerdict>;

/** The rules of a user that take a while are asked when it is their turn: nobody else waits for them. */
export const LATER = Symbol('later');

/** Most are looked at in a microsecond; in a long message what one of them looks for takes some milliseconds. */
const USERS_PER_LOOK = 1;
/** Whom they ignore is nothing that rules look at. */
const NOBODY: ReadonlySet<UserId> = new Set();

/** Asks the push rules of users about an event: those, and in that context, by which it is counted as unread too. */
@Injectable()
export class EvaluateEvent {
  constructor(
    private readonly rules: CompiledRules,
    private readonly unread: UnreadCounts,
    private readonly digests: DigestNotes,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /**
   * What the rules of those users say whom they let be told; `LATER` for whom that takes a while. Nobody is asked for whom nothing follows from it. PERF: of most users nothing is looked up (`npm run bench -- push`); after some
   * milliseconds everything else has its turn.
   */
  async evaluate(
    roomId: RoomId,
    row: TimelineRow,
    users: readonly UserId[],
    moment: Position,
  ): Promise<Map<UserId, VerdictFor | typeof LATER>> {
    const event = eventOfRow(roomId, row);
    const part = await this.unread.contexts.room(roomId, moment);
    const shared = contextIn(part, event.sender, undefined);
    const found = new Map<UserId, VerdictFor | typeof LATER>();
    const turn = new Turn(USERS_PER_LOOK);
    for (const userId of users) {
      if (this.digests.isSettled(userId, roomId)) continue;
      const known = this.rules.recall(userId);
      const rules = known instanceof Promise ? await known : known;
      if (rules.isHeavy) {
        found.set(userId, LATER);
        continue;
      }
      const isOwn = rules.asksForNames || rules.asksForThreads;
      const context = isOwn ? await this.#contextFor(userId, roomId, row, rules, moment) : shared;
      const asked = ask(rules, event, context);
      const verdictFor = asked instanceof Promise ? await asked : asked;
      if (verdictFor !== undefined) found.set(userId, verdictFor);
      if (turn.isOver()) await turn.pass();
    }
    return found;
  }

  /** As `evaluate` for one user, whatever time it takes; undefined where their rules let nothing be told. */
  async evaluateFor(
    userId: UserId,
    roomId: RoomId,
    row: TimelineRow,
    moment: Position,
  ): Promise<VerdictFor | undefined> {
    const rules = await this.rules.of(userId);
    const context = await this.#contextFor(userId, roomId, row, rules, moment);
    return ask(rules, eventOfRow(roomId, row), context);
  }

  /** Whether an event of a room is unread for a user, whatever their rules say of it. */
  async isUnread(roomId: RoomId, row: TimelineRow, userId: UserId): Promise<boolean> {
    const reader = await followerOf(this.views, { userId });
    const rules = await this.rules.of(userId);
    return this.#roomOf(roomId, reader, rules, row.header.position).isUnread(row);
  }

  #contextFor(
    userId: UserId,
    roomId: RoomId,
    row: TimelineRow,
    rules: UserRules,
    moment: Position,
  ): Promise<PushContext> {
    return this.#roomOf(roomId, { userId, ignored: NOBODY }, rules, moment).contextOf(row);
  }

  #roomOf(roomId: RoomId, reader: Reader, rules: UserRules, moment: Position): NotifiedRoom {
    return new NotifiedRoom({ views: this.views, reader, rules, contexts: this.unread.contexts, moment }, roomId);
  }
}

/** What rules say of an event for each pusher; undefined where they let none be told. PERF: a promise only where they take a while. */
function ask(
  rules: UserRules,
  event: RoomEvent,
  context: PushContext,
): VerdictFor | undefined | Promise<VerdictFor | undefined> {
  const verdict = rules.evaluate(event, context);
  if (!(verdict instanceof Promise) && !verdict.notify && !rules.mayNotifyByTag) return undefined;
  const made = ({ notify }: PushVerdict): VerdictFor | undefined => {
    if (rules.mayNotifyByTag) return (profileTag) => rules.evaluateFor(profileTag)(event, { ...context, profileTag });
    return notify ? () => verdict : undefined;
  };
  return verdict instanceof Promise ? verdict.then(made) : made(verdict);
}
