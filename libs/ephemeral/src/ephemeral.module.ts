import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { Receipts } from './commands/receipts.js';
import { SetReadMarksHandler } from './commands/set-read-marks.js';
import { SetTypingHandler } from './commands/set-typing.js';
import { ReceiptsController } from './doors/receipts.controller.js';
import { TypingController } from './doors/typing.controller.js';
import { EndTyping } from './typing/end-typing.js';
import { Typing } from './typing/typing.js';

/** Typing notifications, receipts and read markers. `EndTyping` is a listener to be run. */
@Module({
  imports: [CqrsModule],
  controllers: [ReceiptsController, TypingController],
  providers: [EndTyping, Receipts, SetReadMarksHandler, SetTypingHandler, Typing],
  exports: [EndTyping, Typing],
})
export class EphemeralModule {}
