import { Global, Module } from '@nestjs/common';
import { BOUND_ELSEWHERE } from '#accounts/threepids/bound-elsewhere';
import { VALIDATED_ELSEWHERE } from '#accounts/threepids/validated-elsewhere';
import { ADDRESS_INVITATIONS } from '#rooms/address-invitations';
import { Associations } from './associations/associations.js';
import { Bindings } from './client/bindings.js';
import { IdentityServers } from './client/identity-servers.js';
import { IdentityTokens } from './client/identity-tokens.js';
import { LookUpThreepids } from './client/look-up-threepids.js';
import { AssociationsController } from './doors/associations.controller.js';
import { BindThreepidsController } from './doors/bind-threepids.controller.js';
import { IdentityAccountsController } from './doors/identity-accounts.controller.js';
import { IdentityKeysController } from './doors/identity-keys.controller.js';
import { IdentityPeopleController } from './doors/identity-people.controller.js';
import { IdentityTermsController } from './doors/identity-terms.controller.js';
import { LookupController } from './doors/lookup.controller.js';
import { AssociationsV1Controller } from './doors/v1/associations-v1.controller.js';
import { LookupV1Controller } from './doors/v1/lookup-v1.controller.js';
import { ValidateEmailV1Controller, ValidatePhoneV1Controller } from './doors/v1/validate-v1.controller.js';
import { ValidateEmailController } from './doors/validate-email.controller.js';
import { ValidatePhoneController } from './doors/validate-phone.controller.js';
import { ReplicationController } from './doors/replication.controller.js';
import { SignInviteController } from './doors/sign-invite.controller.js';
import { StoreInviteController } from './doors/store-invite.controller.js';
import { DeliverInvites } from './invitations/deliver-invites.js';
import { EndBindings } from './client/end-bindings.js';
import { FindableAssociations } from './associations/findable-associations.js';
import { IdentityAccounts } from './identity-accounts.js';
import { IdentityData } from './identity-data.js';
import { InviteByAddress } from './client/invite-by-address.js';
import { InvitationMessages } from './invitations/invitation-messages.js';
import { StoreInvitation } from './invitations/store-invitation.js';
import { LongTermKeys } from './long-term-keys.js';
import { Pepper } from './associations/pepper.js';
import { IdentityFeed } from './replication/identity-feed.js';
import { FollowPeers } from './replication/follow-peers.js';
import { IdentityPeers } from './replication/identity-peers.js';
import { SendInvitations } from './invitations/send-invitations.js';
import { StoredInvites } from './invitations/stored-invites.js';
import { ShownToIdentityServers } from './client/shown-to-identity-servers.js';
import { Messengers, Validations } from './validations.js';

/**
 * Identity servers, in both directions: asked as their clients do, and the one that this server is itself where its roles have that. Needs CONFIG, CLOCK,
 * EVENT_STORE, VIEWS, SIGNING_KEY, KeyedNames, Outgoing, RateLimits, Mailer, Texter, AccessLists, OpenIdTokens and HOMESERVERS from global modules.
 */
@Global()
@Module({
  controllers: [
    IdentityAccountsController,
    IdentityTermsController,
    IdentityKeysController,
    LookupController,
    LookupV1Controller,
    ValidateEmailController,
    ValidatePhoneController,
    ValidateEmailV1Controller,
    ValidatePhoneV1Controller,
    AssociationsV1Controller,
    IdentityPeopleController,
    AssociationsController,
    BindThreepidsController,
    StoreInviteController,
    SignInviteController,
    ReplicationController,
  ],
  providers: [
    IdentityData,
    IdentityServers,
    IdentityTokens,
    LookUpThreepids,
    IdentityAccounts,
    Associations,
    Bindings,
    EndBindings,
    Pepper,
    FindableAssociations,
    Messengers,
    Validations,
    ShownToIdentityServers,
    LongTermKeys,
    StoredInvites,
    InvitationMessages,
    StoreInvitation,
    SendInvitations,
    DeliverInvites,
    IdentityFeed,
    IdentityPeers,
    FollowPeers,
    { provide: BOUND_ELSEWHERE, useExisting: Bindings },
    { provide: VALIDATED_ELSEWHERE, useExisting: ShownToIdentityServers },
    { provide: ADDRESS_INVITATIONS, useClass: InviteByAddress },
  ],
  exports: [
    BOUND_ELSEWHERE,
    VALIDATED_ELSEWHERE,
    ADDRESS_INVITATIONS,
    Bindings,
    EndBindings,
    IdentityServers,
    IdentityTokens,
    LookUpThreepids,
    IdentityAccounts,
    Associations,
    StoredInvites,
    SendInvitations,
    DeliverInvites,
    FollowPeers,
  ],
})
export class IdentityModule {}
