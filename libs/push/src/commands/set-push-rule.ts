import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Requester } from '#kernel/requester';
import type { PushRuleSet } from '../facts/push-rule-facts.js';
import { PushRules } from '../push-rules.js';
import { decideRule } from '../rules/decide-push-rules.js';

/** Makes or changes a push rule of the requester's own; `profileTag`: among those for pushers with that tag. Throws as `decideRule`. */
export class SetPushRule extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly rule: PushRuleSet,
    readonly profileTag?: string,
  ) {
    super();
  }
}

@CommandHandler(SetPushRule)
export class SetPushRuleHandler implements ICommandHandler<SetPushRule> {
  constructor(private readonly rules: PushRules) {}

  async execute({ requester, rule, profileTag }: SetPushRule): Promise<void> {
    await this.rules.change(requester, (changes) => decideRule(changes, rule), profileTag);
  }
}
