import { Controller, Get, Inject, Param } from '@nestjs/common';
import { findAccount } from '#accounts/queries/find-account';
import { Devices } from '#accounts/queries/devices';
import { Authenticated, CurrentRequester, OwnersOnly } from '#http/authenticated';
import { TODAY, under } from '#http/client-paths';
import { RateLimited } from '#http/rate-limited';
import { readUserId } from '#http/read-user-id';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';

/**
 * From where the devices of a user come: client-server API, "Server Administration". For users of themselves, and for administrators. What was
 * seen is in memory alone: of the time before the start nothing is known.
 */
@Controller()
@Authenticated()
@OwnersOnly()
@RateLimited('default')
export class WhoisController {
  constructor(
    private readonly devices: Devices,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  @Get([...under(TODAY, 'admin/whois/:userId'), '_synapse/admin/v1/whois/:userId'])
  async whois(@CurrentRequester() requester: Requester, @Param('userId') user: string): Promise<object> {
    const userId = readUserId(requester, user);
    if (userId !== requester.userId && !requester.isAdmin) {
      throw new MatrixError('M_FORBIDDEN', 'Of others administrators alone are told this');
    }
    if ((await findAccount(this.views, userId)) === undefined)
      throw new MatrixError('M_NOT_FOUND', 'No such user here');
    const devices = [...(await this.devices.connections(userId))].map(([deviceId, seen]) => {
      const connection = { ip: seen?.ip, last_seen: seen?.at, user_agent: seen?.userAgent };
      return [deviceId, { sessions: [{ connections: seen === undefined ? [] : [connection] }] }] as const;
    });
    return { user_id: userId, devices: Object.fromEntries(devices) };
  }
}
