import type { Type } from '@nestjs/common';
import { InvitesController } from './invites.controller.js';
import { JoinsController } from './joins.controller.js';
import { KnocksController } from './knocks.controller.js';
import { LeavingController } from './leaving.controller.js';
import { OnbindController, ThirdPartyInvitesController } from './third-party-invites.controller.js';

/** The doors through which users of other servers come and go, and users here are invited. */
export const JOINING_CONTROLLERS: readonly Type[] = [
  InvitesController,
  JoinsController,
  KnocksController,
  LeavingController,
  OnbindController,
  ThirdPartyInvitesController,
];
