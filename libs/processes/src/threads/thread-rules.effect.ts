import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import { SwitchOnThreadRules } from '#push/commands/switch-on-thread-rules';
import { type ThreadSubscriptionFact, userIdOfThreads } from '#rooms/facts/thread-subscription-facts';
import { actForUser } from '../act-for-user.js';

const SUBSCRIBED: ThreadSubscriptionFact['type'] = 'thread-subscribed';

/**
 * Lets subscriptions decide what notifies in threads once the user has made one: MSC4306, "New Push Rules". What they said of those
 * rules themself stays so.
 */
@Injectable()
export class ThreadRules implements Effect {
  readonly name = 'thread-rules';

  constructor(private readonly commands: CommandBus) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === SUBSCRIBED ? stream : undefined;
  }

  run(fact: RecordedFact): Promise<boolean> {
    return this.commands.execute(new SwitchOnThreadRules(actForUser(userIdOfThreads(fact.stream), fact)));
  }
}
