import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { AccountView } from './browser/account-view.js';
import { Browsers } from './browser/browsers.js';
import { ConfirmPerson } from './browser/confirm-person.js';
import { Returns } from './browser/returns.js';
import { SignInWays } from './browser/sign-in-ways.js';
import { SteppedSignIns } from './browser/stepped-sign-ins.js';
import { AllowKeyReset } from './commands/allow-key-reset.js';
import { SignUps } from './browser/sign-ups.js';
import { ClientIds } from './clients/client-ids.js';
import { GrantAccess } from './commands/grant-access.js';
import { LinkElsewhere } from './commands/link-elsewhere.js';
import { RedeemGrant } from './commands/redeem-grant.js';
import { DeviceRequests } from './device-requests.js';
import { AccountFormsController } from './doors/account-forms.controller.js';
import { AccountPageController } from './doors/account-page.controller.js';
import { AuthoriseController } from './doors/authorise.controller.js';
import { DataPageController } from './doors/data-page.controller.js';
import { ClientLoginController } from './doors/client-login.controller.js';
import { ElsewhereController } from './doors/elsewhere.controller.js';
import { LinkController } from './doors/link.controller.js';
import { MasDevicesController } from './doors/mas-devices.controller.js';
import { MasController } from './doors/mas.controller.js';
import { MetadataController } from './doors/metadata.controller.js';
import { OAuthController } from './doors/oauth.controller.js';
import { SignInController } from './doors/sign-in.controller.js';
import { SignUpController } from './doors/sign-up.controller.js';
import { UpstreamSignInController } from './doors/upstream-sign-in.controller.js';
import { KeyResetStages } from './key-reset-stage.js';
import { MasTokens } from './mas/mas-tokens.js';
import { MasUsers } from './mas/mas-users.js';
import { Mas } from './mas/mas.js';
import { ProvisionUser } from './mas/provision-user.js';
import { OAuthData } from './oauth-data.js';
import { KeptSignIns } from './sign-ins.js';

/**
 * The OAuth 2.0 API and the account page, or another service that is trusted instead. Needs EVENT_STORE, VIEWS, CLOCK, CONFIG, LOGGER, SIGNING_KEY,
 * Outgoing and PersonalData from global modules, accounts and sso. `MasTokens` is a listener to be run. Global: where people are signed in ends with their account.
 */
@Global()
@Module({
  imports: [CqrsModule],
  controllers: [
    MetadataController,
    OAuthController,
    AuthoriseController,
    LinkController,
    SignInController,
    SignUpController,
    UpstreamSignInController,
    AccountPageController,
    AccountFormsController,
    DataPageController,
    ElsewhereController,
    ClientLoginController,
    MasController,
    MasDevicesController,
  ],
  providers: [
    OAuthData,
    Browsers,
    ConfirmPerson,
    SignUps,
    AllowKeyReset,
    LinkElsewhere,
    SignInWays,
    SteppedSignIns,
    Returns,
    AccountView,
    KeptSignIns,
    ClientIds,
    DeviceRequests,
    GrantAccess,
    RedeemGrant,
    KeyResetStages,
    Mas,
    MasTokens,
    MasUsers,
    ProvisionUser,
  ],
  exports: [KeptSignIns],
})
export class OAuthModule {}
