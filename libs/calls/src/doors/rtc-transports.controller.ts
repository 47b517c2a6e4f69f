import { Controller, Get, Inject } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Authenticated } from '#http/authenticated';
import { RateLimited } from '#http/rate-limited';

/** By which servers calls of many are carried: MSC4143, "Discovery of transports". The same is told in well-known, where some clients look alone. */
@Authenticated()
@RateLimited('default')
@Controller(['_matrix/client/v1', '_matrix/client/unstable/org.matrix.msc4143'])
export class RtcTransportsController {
  constructor(@Inject(CONFIG) private readonly config: Pick<Config, 'rtcTransports'>) {}

  @Get('rtc/transports')
  transports(): object {
    return { rtc_transports: this.config.rtcTransports };
  }
}
