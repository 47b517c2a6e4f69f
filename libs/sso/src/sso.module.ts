import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { AdmitOutsider } from './admission/admit-outsider.js';
import { ApplyGroups } from './admission/apply-groups.js';
import { EarlyLogouts } from './admission/early-logouts.js';
import { FindLoggedOut } from './admission/find-logged-out.js';
import { TakeAnswers } from './admission/given.js';
import { UpstreamSessions } from './admission/upstream-sessions.js';
import { BackToClients } from './attempts/back-to-clients.js';
import { Attempts } from './attempts/attempts.js';
import { Sealer } from './attempts/sealer.js';
import { BegunRequests } from './begun-requests.js';
import { AnswerProgress } from './doors/answer-progress.js';
import { BackchannelLogoutController } from './doors/backchannel-logout.controller.js';
import { LoginTokenController } from './doors/login-token.controller.js';
import { SsoPagesController } from './doors/sso-pages.controller.js';
import { SsoRedirectController } from './doors/sso-redirect.controller.js';
import { LdapAuthority } from './ldap/ldap-authority.js';
import { OAuth2Stage } from './stages/oauth2-stage.js';
import { SsoStage } from './stages/sso-stage.js';
import { ReadLogoutToken } from './upstream/read-logout-token.js';
import { UpstreamClients } from './upstream/upstream-clients.js';
import { UpstreamLogins } from './upstream-logins.js';
import { UpstreamProviders } from './upstream-providers.js';

/** Accounts that people have elsewhere. Needs EVENT_STORE, VIEWS, CONFIG, CLOCK, LOGGER, SIGNING_KEY, Outgoing, and accounts and rooms from global modules. */
@Global()
@Module({
  imports: [CqrsModule],
  controllers: [BackchannelLogoutController, SsoRedirectController, SsoPagesController, LoginTokenController],
  providers: [
    UpstreamProviders,
    UpstreamClients,
    ReadLogoutToken,
    Sealer,
    Attempts,
    AdmitOutsider,
    TakeAnswers,
    ApplyGroups,
    EarlyLogouts,
    UpstreamSessions,
    FindLoggedOut,
    UpstreamLogins,
    LdapAuthority,
    BegunRequests,
    BackToClients,
    AnswerProgress,
    SsoStage,
    OAuth2Stage,
  ],
  exports: [BackToClients, UpstreamProviders, UpstreamLogins, UpstreamSessions],
})
export class SsoModule {}
