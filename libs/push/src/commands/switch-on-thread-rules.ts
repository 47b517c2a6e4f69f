import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Requester } from '#kernel/requester';
import { PushRules } from '../push-rules.js';
import { decideThreadRules } from '../rules/decide-push-rules.js';

/**
 * Switches the default rules about threads on (MSC4306, "New Push Rules") that the requester never switched on or off. Answers whether
 * there were any.
 */
export class SwitchOnThreadRules extends Command<boolean> {
  constructor(readonly requester: Requester) {
    super();
  }
}

@CommandHandler(SwitchOnThreadRules)
export class SwitchOnThreadRulesHandler implements ICommandHandler<SwitchOnThreadRules> {
  constructor(private readonly rules: PushRules) {}

  execute({ requester }: SwitchOnThreadRules): Promise<boolean> {
    return this.rules.change(requester, (changes, userId) => decideThreadRules(userId, changes));
  }
}
