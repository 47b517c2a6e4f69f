import { Inject, Injectable } from '@nestjs/common';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { Turn } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import type { PushVerdict } from '#protocol/push-rules/evaluate-rules';
import { CompiledRules, type UserRules } from '#push/compiled-rules';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { type Reader, readerOf } from '#rooms/reading/reader';
import { NotifiedRoom } from '#sync/unread/notified-room';
import { contextIn, eventOfRow } from '#sync/unread/push-context';
import { UnreadCounts } from '#sync/unread/unread-counts';

/** What the rules of a user say of an event, for a pusher with a profile tag or without one. */
export type VerdictFor = (profileTag: string | undefined) => PushVerdict | Promise<PushVerdict>;

/** PERF: most are looked at in a microsecond; in a long message what one of them looks for takes some milliseconds. */
const USERS_PER_LOOK = 4;
/** Whom they ignore is nothing that rules look at. */
const NOBODY: ReadonlySet<UserId> = new Set();

/** Asks the push rules of users about an event: those, and in that context, by which it is counted as unread too. */
@Injectable()
export class EvaluateEvent {
  constructor(
    private readonly rules: CompiledRules,
    private readonly unread: UnreadCounts,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /**
   * What the rules of those users say whom they let be told. PERF: of most users nothing is looked up (`npm run bench -- push`); after some
   * milliseconds everything else has its turn.
   */
  async evaluate(
    roomId: RoomId,
    row: TimelineRow,
    users: readonly UserId[],
    moment: Position,
  ): Promise<Map<UserId, VerdictFor>> {
    const event = eventOfRow(roomId, row);
    const part = await this.unread.contexts.room(roomId, moment);
    const shared = contextIn(part, event.sender, undefined);
    const found = new Map<UserId, VerdictFor>();
    const turn = new Turn(USERS_PER_LOOK);
    for (const userId of users) {
      const known = this.rules.recall(userId);
      const rules = known instanceof Promise ? await known : known;
      const isOwn = rules.asksForNames || rules.asksForThreads;
      const reader = { userId, ignored: NOBODY };
      const context = isOwn ? await this.#roomOf(roomId, reader, rules, moment).contextOf(row) : shared;
      const verdict = rules.evaluate(event, context);
      const { notify } = verdict instanceof Promise ? await verdict : verdict;
      if (rules.mayNotifyByTag || notify)
        found.set(userId, (profileTag) =>
          rules.mayNotifyByTag ? rules.evaluateFor(profileTag)(event, { ...context, profileTag }) : verdict,
        );
      if (turn.isOver()) await turn.pass();
    }
    return found;
  }

  /** Whether an event of a room is unread for a user, whatever their rules say of it. */
  async isUnread(roomId: RoomId, row: TimelineRow, userId: UserId): Promise<boolean> {
    const reader = await readerOf(this.views, { userId });
    const rules = await this.rules.of(userId);
    return this.#roomOf(roomId, reader, rules, row.header.position).isUnread(row);
  }

  #roomOf(roomId: RoomId, reader: Reader, rules: UserRules, moment: Position): NotifiedRoom {
    return new NotifiedRoom({ views: this.views, reader, rules, contexts: this.unread.contexts, moment }, roomId);
  }
}
