import { Global, Module } from '@nestjs/common';
import { BOUND_ELSEWHERE } from '#accounts/threepids/bound-elsewhere';
import { Associations } from './associations.js';
import { Bindings } from './bindings.js';
import { IdentityServers } from './client/identity-servers.js';
import { LookUpThreepids } from './client/look-up-threepids.js';
import { AssociationsController } from './doors/associations.controller.js';
import { BindThreepidsController } from './doors/bind-threepids.controller.js';
import { IdentityAccountsController } from './doors/identity-accounts.controller.js';
import { IdentityKeysController } from './doors/identity-keys.controller.js';
import { IdentityTermsController } from './doors/identity-terms.controller.js';
import { LookupController } from './doors/lookup.controller.js';
import { ValidateEmailController } from './doors/validate-email.controller.js';
import { IdentityAccounts } from './identity-accounts.js';
import { LongTermKeys } from './long-term-keys.js';
import { Pepper } from './pepper.js';
import { Validations } from './validations.js';

/**
 * Identity servers, in both directions: asked as their clients do, and the one that this server is itself where its roles have that. Needs CONFIG, CLOCK,
 * EVENT_STORE, VIEWS, SIGNING_KEY, Outgoing, RateLimits, Mailer and HOMESERVERS from global modules.
 */
@Global()
@Module({
  controllers: [
    IdentityAccountsController,
    IdentityTermsController,
    IdentityKeysController,
    LookupController,
    ValidateEmailController,
    AssociationsController,
    BindThreepidsController,
  ],
  providers: [
    IdentityServers,
    LookUpThreepids,
    IdentityAccounts,
    Associations,
    Bindings,
    Pepper,
    Validations,
    LongTermKeys,
    { provide: BOUND_ELSEWHERE, useExisting: Bindings },
  ],
  exports: [BOUND_ELSEWHERE, Bindings, IdentityServers, LookUpThreepids, IdentityAccounts, Associations],
})
export class IdentityModule {}
