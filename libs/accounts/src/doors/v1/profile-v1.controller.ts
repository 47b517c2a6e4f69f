import { Controller } from '@nestjs/common';
import { V1 } from '#http/client-paths';
import { type UserId, parseUserId } from '#kernel/ids';
import { foldUserId } from '../../user-ids.js';
import { ProfileController } from '../today/profile.controller.js';

/** Profiles in the API of 2015 (section "Profiles"): as today, but user ids are case-insensitive. */
@Controller(`${V1}/profile`)
export class ProfileV1Controller extends ProfileController {
  protected override parseUser(text: string): UserId {
    return foldUserId(parseUserId(text), this.config.serverName);
  }
}
