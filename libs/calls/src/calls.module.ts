import { Module } from '@nestjs/common';
import { RtcTransportsController } from './doors/rtc-transports.controller.js';
import { TurnController } from './doors/turn.controller.js';

/** What calls need of a homeserver besides events. Needs CONFIG, CLOCK and ACCESS_TOKENS from global modules. */
@Module({ controllers: [TurnController, RtcTransportsController] })
export class CallsModule {}
