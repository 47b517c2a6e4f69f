import { Controller, Get, Inject } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { TODAY, under, V1 } from '#http/client-paths';
import { RateLimited } from '#http/rate-limited';
import { CLOCK, type Clock } from '#kernel/clock';
import type { Requester } from '#kernel/requester';
import { turnCredentials } from '../turn/turn-credentials.js';

/**
 * Where calls are relayed: client-server API, "Voice over IP". NOTSPEC: where there is no TURN server that is told by an empty object, which
 * clients know from all servers in use; the specification requires the keys and has no word for none.
 */
@Authenticated()
@RateLimited('default')
@Controller()
export class TurnController {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'turn'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get([...under([...TODAY, V1], 'voip/turnServer'), `${V1}/turnServer`])
  turnServer(@CurrentRequester() { userId }: Requester): object {
    const { turn } = this.config;
    return turn === undefined ? {} : turnCredentials(turn, userId, this.clock.now());
  }
}
