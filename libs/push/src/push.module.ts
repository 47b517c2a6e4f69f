import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { ChangePushRuleHandler } from './commands/change-push-rule.js';
import { CopyRoomRulesHandler } from './commands/copy-room-rules.js';
import { RemovePushRuleHandler } from './commands/remove-push-rule.js';
import { SwitchOnThreadRulesHandler } from './commands/switch-on-thread-rules.js';
import { SetPushRuleHandler } from './commands/set-push-rule.js';
import { PushRulesController } from './doors/push-rules.controller.js';
import { PushersController } from './doors/pushers.controller.js';
import { PushRules } from './push-rules.js';

/** Push rules. Needs EVENT_STORE, VIEWS, CLOCK, CONFIG and ACCESS_TOKENS from global modules. */
@Module({
  imports: [CqrsModule],
  controllers: [PushRulesController, PushersController],
  providers: [
    PushRules,
    SetPushRuleHandler,
    RemovePushRuleHandler,
    ChangePushRuleHandler,
    CopyRoomRulesHandler,
    SwitchOnThreadRulesHandler,
  ],
})
export class PushModule {}
