import { Controller, Get } from '@nestjs/common';
import { TODAY, V1, under } from '#http/client-paths';
import { Authenticated } from '#http/authenticated';

/**
 * GET /voip/turnServer: there is no TURN server here. NOTSPEC: told by an empty object, which clients know from all servers
 * in use; the specification requires the keys and has no word for none.
 */
@Authenticated()
@Controller()
export class VoipController {
  @Get([...under([...TODAY, V1], 'voip/turnServer'), `${V1}/turnServer`])
  turnServer(): object {
    return {};
  }
}
