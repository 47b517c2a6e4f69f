import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { FormTokens } from '#http/browser/form-tokens';
import { AccountView } from './browser/account-view.js';
import { Browsers } from './browser/browsers.js';
import { ConfirmPerson } from './browser/confirm-person.js';
import { SignUps } from './browser/sign-ups.js';
import { ClientIds } from './clients/client-ids.js';
import { GrantAccess } from './commands/grant-access.js';
import { RedeemGrant } from './commands/redeem-grant.js';
import { DeviceRequests } from './device-requests.js';
import { AccountFormsController } from './doors/account-forms.controller.js';
import { AccountPageController } from './doors/account-page.controller.js';
import { AuthoriseController } from './doors/authorise.controller.js';
import { LinkController } from './doors/link.controller.js';
import { MetadataController } from './doors/metadata.controller.js';
import { OAuthController } from './doors/oauth.controller.js';
import { SignInController } from './doors/sign-in.controller.js';
import { SignUpController } from './doors/sign-up.controller.js';
import { KeyResetStages } from './key-reset-stage.js';
import { KeptSignIns } from './sign-ins.js';

/** The OAuth 2.0 API and the account page. Needs EVENT_STORE, VIEWS, CLOCK, CONFIG and SIGNING_KEY from global modules, and accounts. */
@Module({
  imports: [CqrsModule],
  controllers: [
    MetadataController,
    OAuthController,
    AuthoriseController,
    LinkController,
    SignInController,
    SignUpController,
    AccountPageController,
    AccountFormsController,
  ],
  providers: [
    FormTokens,
    Browsers,
    ConfirmPerson,
    SignUps,
    AccountView,
    KeptSignIns,
    ClientIds,
    DeviceRequests,
    GrantAccess,
    RedeemGrant,
    KeyResetStages,
  ],
})
export class OAuthModule {}
