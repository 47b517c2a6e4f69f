import { Controller, Get, HttpCode, Post, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { TODAY, TODAY_AND_ALPHA, under, V1 } from '#http/client-paths';
import {
  Authenticated,
  CurrentRequester,
  NotOfAuthService,
  OwnersOnly,
  WhileExpired,
  WhileLocked,
} from '#http/authenticated';
import { RateLimited } from '#http/rate-limited';
import type { DeviceId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { LogOut } from '../../commands/log-out.js';

interface WhoAmI {
  readonly user_id: UserId;
  readonly device_id?: DeviceId;
  readonly is_guest: boolean;
}

/**
 * Whose session this is, and its end (client-server API, "Current account information", POST /logout). In API v1 each POST may be a PUT
 * with a transaction id behind its path; nothing is remembered of it here, for the token that says whose id it is ends with the request.
 */
@RateLimited('default')
@Controller()
export class SessionController {
  constructor(private readonly commands: CommandBus) {}

  @Authenticated({ guests: true })
  @Get(under(TODAY, 'account/whoami'))
  whoami(@CurrentRequester() { userId, deviceId, isGuest = false }: Requester): WhoAmI {
    // An application service may act on no device.
    return { user_id: userId, ...(deviceId === '' ? {} : { device_id: deviceId }), is_guest: isGuest };
  }

  @NotOfAuthService()
  @WhileLocked()
  @WhileExpired()
  @Authenticated({ guests: true })
  @HttpCode(200)
  @Post(under([...TODAY_AND_ALPHA, V1], 'logout'))
  async logout(@CurrentRequester() requester: Requester): Promise<object> {
    await this.commands.execute(new LogOut(requester, false));
    return {};
  }

  @NotOfAuthService()
  @WhileLocked()
  @Authenticated({ guests: true })
  @OwnersOnly()
  @HttpCode(200)
  @Post(under([...TODAY_AND_ALPHA, V1], 'logout/all'))
  async logoutAll(@CurrentRequester() requester: Requester): Promise<object> {
    await this.commands.execute(new LogOut(requester, true));
    return {};
  }

  @NotOfAuthService()
  @WhileLocked()
  @WhileExpired()
  @Authenticated({ guests: true })
  @Put(`${V1}/logout/:txnId`)
  logoutOnce(@CurrentRequester() requester: Requester): Promise<object> {
    return this.logout(requester);
  }

  @NotOfAuthService()
  @WhileLocked()
  @Authenticated({ guests: true })
  @OwnersOnly()
  @Put(`${V1}/logout/all/:txnId`)
  logoutAllOnce(@CurrentRequester() requester: Requester): Promise<object> {
    return this.logoutAll(requester);
  }
}
