import { Controller, Get, Inject } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Authenticated } from '#http/authenticated';
import { RateLimited } from '#http/rate-limited';

/**
 * By which servers calls of many are carried: MSC4143, "Discovery of transport infrastructure", with MSC4195. NOTSPEC: beside `transports` of the
 * proposals stands what clients look for that go by earlier ones, which is told in well-known too, where some clients look alone.
 */
@Authenticated({ guests: true })
@RateLimited('default')
@Controller(['_matrix/client/v1', '_matrix/client/unstable/org.matrix.msc4143'])
export class RtcTransportsController {
  constructor(@Inject(CONFIG) private readonly config: Pick<Config, 'livekit' | 'rtcTransports'>) {}

  @Get('rtc/transports')
  transports(): object {
    const { livekit, rtcTransports } = this.config;
    const at = livekit === undefined ? {} : { url: livekit.url };
    return {
      transports: livekit === undefined ? [] : [{ type: 'm.livekit', ...at }],
      rtc_transports: rtcTransports.map((transport) => ({ ...transport, ...at })),
    };
  }
}
