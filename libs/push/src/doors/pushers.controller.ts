import { Controller, Get } from '@nestjs/common';
import { Authenticated } from '#http/authenticated';

/** GET /pushers: nothing can be registered here to push to, so there is never one (POST /pushers/set is unrecognised). */
@Authenticated()
@Controller(['_matrix/client/v3/pushers', '_matrix/client/r0/pushers'])
export class PushersController {
  @Get()
  list(): { pushers: readonly never[] } {
    return { pushers: [] };
  }
}
