import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { causeOf } from '#accounts/accounts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { accept, ask, decline, drop, evolveRelations, group } from '../decide/decide-subscriptions.js';
import type { Relations } from '../decide/relations.js';
import type { SubscriptionFact } from '../facts/subscription-facts.js';
import { PresenceLists } from '../lists/presence-lists.js';

/** What is to become of a presence list, and of who asks to see its owner. */
export interface ListChanges {
  /** Whom to put on the list, and ask for their permission. */
  readonly invite: readonly UserId[];
  /** Whom to take off it. */
  readonly drop: readonly UserId[];
  /** Who may see the owner of those who asked to. */
  readonly accept: readonly UserId[];
  /** Who may not, or no more. */
  readonly decline: readonly UserId[];
  /** The groups in which somebody on the list is from now on, and no others. */
  readonly groups: ReadonlyMap<UserId, readonly string[]>;
}

/**
 * Changes the requester's presence list: 2014/15, "Presence List". All of it or nothing. Throws M_INVALID_PARAM (oneself, or the list is
 * full), M_NOT_FOUND (accepted was who did not ask; grouped who is not on the list).
 */
export class ChangePresenceList extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly changes: ListChanges,
  ) {
    super();
  }
}

@CommandHandler(ChangePresenceList)
export class ChangePresenceListHandler implements ICommandHandler<ChangePresenceList> {
  constructor(
    private readonly lists: PresenceLists,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ requester, changes }: ChangePresenceList): Promise<void> {
    const { userId } = requester;
    const named = [changes.invite, changes.accept, changes.decline, [...changes.groups.keys()]].flat();
    if (named.includes(userId)) throw new MatrixError('M_INVALID_PARAM', 'You see yourself without a presence list');
    await this.lists.change(userId, (relations) => decideAll(relations, changes, this.clock.now()), causeOf(requester));
  }
}

/** Each change is decided upon what those before make of the list. */
function decideAll(relations: Relations, changes: ListChanges, at: number): SubscriptionFact[] {
  const all: SubscriptionFact[] = [];
  let now = relations;
  const take = (decided: readonly SubscriptionFact[]): void => {
    for (const fact of decided) now = evolveRelations(now, { type: fact.type, data: JSON.stringify(fact.data) });
    all.push(...decided);
  };
  for (const userId of changes.drop) take(drop(now, userId, at));
  for (const userId of changes.invite) take(ask(now, userId, at));
  for (const userId of changes.accept) take(accept(now, userId));
  for (const userId of changes.decline) take(decline(now, userId));
  for (const [userId, groups] of changes.groups) take(group(now, userId, groups));
  return all;
}
