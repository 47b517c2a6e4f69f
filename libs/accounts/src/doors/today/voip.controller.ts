import { Controller, Get } from '@nestjs/common';
import { TODAY, V1, under } from '#http/client-paths';
import { Authenticated } from '#http/authenticated';

/** GET /voip/turnServer: there is no TURN server here, which clients are told by an empty object. */
@Authenticated()
@Controller()
export class VoipController {
  @Get([...under([...TODAY, V1], 'voip/turnServer'), `${V1}/turnServer`])
  turnServer(): object {
    return {};
  }
}
