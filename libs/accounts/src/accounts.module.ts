import { Global, Module, type Provider } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { ACCESS_TOKENS } from '#http/access-tokens';
import { ForgottenAccounts } from './forgotten-accounts.js';
import { FormTokens } from '#http/browser/form-tokens';
import { SERVICE_USERS } from '#http/service-users';
import { MailModule } from '#mail/mail.module';
import { PhonesModule } from '#phones/phones.module';
import { PersonalDataModule } from '#personal-data/personal-data.module';
import { OWN_ADDRESSES } from '#push/digests/own-addresses';
import { ACCOUNT_DOORS } from './account-doors.js';
import { Accounts } from './accounts.js';
import { AcceptTermsHandler } from './commands/accept-terms.js';
import { AddThreepidHandler } from './commands/add-threepid.js';
import { ChangePasswordHandler } from './commands/change-password.js';
import { ChangeProfileHandler } from './commands/change-profile.js';
import { CreateDeviceHandler } from './commands/create-device.js';
import { CreateFilterHandler } from './commands/create-filter.js';
import { ChangeRegistrationTokenHandler } from './commands/change-registration-token.js';
import { CreateRegistrationTokenHandler } from './commands/create-registration-token.js';
import { DeactivateAccountHandler } from './commands/deactivate-account.js';
import { DehydrateDeviceHandler } from './commands/dehydrate-device.js';
import { DeleteDevicesHandler } from './commands/delete-devices.js';
import { EndUpstreamSessionsHandler } from './commands/end-upstream-sessions.js';
import { EndGrantedSessionHandler } from './commands/end-granted-session.js';
import { IssueLoginTokenHandler } from './commands/issue-login-token.js';
import { LogInForServiceHandler } from './commands/log-in-for-service.js';
import { LogInHandler } from './commands/log-in.js';
import { LogOutHandler } from './commands/log-out.js';
import { OverrideRateLimitHandler } from './commands/override-rate-limit.js';
import { ProvideAccountHandler } from './commands/provide-account.js';
import { RefreshSessionHandler } from './commands/refresh-session.js';
import { RegisterAccountHandler } from './commands/register-account.js';
import { ReopenAccountHandler } from './commands/reopen-account.js';
import { RemoveThreepidHandler } from './commands/remove-threepid.js';
import { RenameDeviceHandler } from './commands/rename-device.js';
import { RestrictAccountHandler } from './commands/restrict-account.js';
import { RevokeTokenHandler } from './commands/revoke-token.js';
import { SetAccountDataHandler } from './commands/set-account-data.js';
import { SetAdminByGroupsHandler } from './commands/set-admin-by-groups.js';
import { SetAdminHandler } from './commands/set-admin.js';
import { SetReadersHandler } from './commands/set-readers.js';
import { SetTagHandler } from './commands/set-tag.js';
import { SucceedRoomHandler } from './commands/succeed-room.js';
import { PasswordHasher } from './credentials/password-hasher.js';
import { ExternalIds } from './external-ids.js';
import { FirstRegistrationToken } from './first-registration-token.js';
import { AuthNotes } from './interactive-auth/auth-notes.js';
import { AuthSessions } from './interactive-auth/auth-sessions.js';
import { InteractiveAuth } from './interactive-auth/interactive-auth.js';
import { Flows } from './interactive-auth/flows.js';
import { LinkedStages } from './interactive-auth/linked-stages.js';
import { LoginByMail } from './interactive-auth/login-by-mail.js';
import { Consents } from './terms/consents.js';
import { Terms } from './terms/terms.js';
import { PassByThreepid } from './interactive-auth/pass-by-threepid.js';
import { OfferedLogins } from './interactive-auth/offered-logins.js';
import { PageProcess } from './interactive-auth/page-process.js';
import { StageRegistry } from './interactive-auth/stage-registry.js';
import { DummyStage } from './interactive-auth/stages/dummy-stage.js';
import { LoginTokenStage } from './interactive-auth/stages/login-token-stage.js';
import { EmailIdentityStage } from './interactive-auth/stages/email-identity-stage.js';
import { EmailCodeStage } from './interactive-auth/stages/email-code-stage.js';
import { MsisdnStage } from './interactive-auth/stages/msisdn-stage.js';
import { EmailUrlStage } from './interactive-auth/stages/email-url-stage.js';
import { RecaptchaStage } from './interactive-auth/stages/recaptcha-stage.js';
import { TermsStage } from './interactive-auth/stages/terms-stage.js';
import { PasswordStage } from './interactive-auth/stages/password-stage.js';
import { RegistrationTokenStage } from './interactive-auth/stages/registration-token-stage.js';
import { SteppedAuth } from './interactive-auth/stepped-auth.js';
import { OpenIdTokens } from './openid/openid-tokens.js';
import { AccountsData } from './personal-data/accounts-data.js';
import { Devices } from './queries/devices.js';
import { OutsideClaims } from './outside-claims.js';
import { AccessLists } from './reading/access-lists.js';
import { FindableThreepids } from './reading/findable-threepids.js';
import { ReadableProfiles } from './reading/readable-profiles.js';
import { ReadableUserData } from './reading/readable-user-data.js';
import { RegistrationClaims } from './registration-claims.js';
import { RegistrationRules } from './registration-rules.js';
import { RegistrationTokens } from './registration-tokens.js';
import { Reopening } from './reopening.js';
import { ActingServices } from './sessions/acting-services.js';
import { BeginSession } from './sessions/begin-session.js';
import { KnownTokens } from './sessions/known-tokens.js';
import { NewPasswords } from './sessions/new-passwords.js';
import { PasswordAuthorities } from './sessions/password-authorities.js';
import { PasswordCheck } from './sessions/password-check.js';
import { WhosePassword } from './sessions/whose-password.js';
import { MailValidation } from './threepids/mail-validation.js';
import { PhoneParts, PhoneValidation } from './threepids/phone-validation.js';
import { ShownThreepids } from './threepids/shown-threepids.js';
import { OwnMailAddresses } from './threepids/own-mail-addresses.js';
import { ValidationLinks } from './threepids/validation-links.js';
import { ThreepidClaims } from './threepids/threepid-claims.js';
import { SessionTokens } from './sessions/session-tokens.js';
import { TokenRights } from './sessions/token-rights.js';
import { TokenConfirmation } from './sessions/token-confirmation.js';

const commandHandlers: Provider[] = [
  AcceptTermsHandler,
  RegisterAccountHandler,
  LogInHandler,
  LogInForServiceHandler,
  IssueLoginTokenHandler,
  CreateDeviceHandler,
  RefreshSessionHandler,
  RevokeTokenHandler,
  EndGrantedSessionHandler,
  EndUpstreamSessionsHandler,
  LogOutHandler,
  RenameDeviceHandler,
  DehydrateDeviceHandler,
  DeleteDevicesHandler,
  ChangePasswordHandler,
  DeactivateAccountHandler,
  ReopenAccountHandler,
  AddThreepidHandler,
  RemoveThreepidHandler,
  SetAdminHandler,
  RestrictAccountHandler,
  OverrideRateLimitHandler,
  ProvideAccountHandler,
  SetAdminByGroupsHandler,
  ChangeProfileHandler,
  SetAccountDataHandler,
  SetReadersHandler,
  SetTagHandler,
  SucceedRoomHandler,
  CreateFilterHandler,
  CreateRegistrationTokenHandler,
  ChangeRegistrationTokenHandler,
];

/** Each adds itself to the registry. */
const stages: Provider[] = [
  DummyStage,
  PasswordStage,
  LoginTokenStage,
  RegistrationTokenStage,
  RecaptchaStage,
  TermsStage,
  EmailIdentityStage,
  EmailCodeStage,
  EmailUrlStage,
  MsisdnStage,
];

const services: Provider[] = [
  Accounts,
  ForgottenAccounts,
  RegistrationTokens,
  RegistrationRules,
  OwnMailAddresses,
  ThreepidClaims,
  ExternalIds,
  RegistrationClaims,
  OutsideClaims,
  NewPasswords,
  Reopening,
  ValidationLinks,
  MailValidation,
  PhoneParts,
  PhoneValidation,
  ShownThreepids,
  PassByThreepid,
  LoginByMail,
  LinkedStages,
  PageProcess,
  Terms,
  Consents,
  FormTokens,
  FirstRegistrationToken,
  PasswordHasher,
  PasswordAuthorities,
  PasswordCheck,
  WhosePassword,
  BeginSession,
  AuthNotes,
  AuthSessions,
  StageRegistry,
  Flows,
  OfferedLogins,
  SteppedAuth,
  InteractiveAuth,
  TokenConfirmation,
  TokenRights,
  KnownTokens,
  SessionTokens,
  ActingServices,
  Devices,
  AccountsData,
  OpenIdTokens,
  AccessLists,
  FindableThreepids,
  ReadableProfiles,
  ReadableUserData,
];

/**
 * Accounts, their sessions and what they keep. Needs EVENT_STORE, VIEWS, CLOCK, CONFIG, SIGNING_KEY and TAKEN_DEVICE_IDS
 * from global modules. Global itself, for the guard of all doors asks ACCESS_TOKENS and SERVICE_USERS. `KnownTokens` is a
 * listener to be run.
 */
@Global()
@Module({
  imports: [CqrsModule, MailModule, PhonesModule, PersonalDataModule],
  controllers: ACCOUNT_DOORS,
  providers: [
    ...services,
    ...stages,
    ...commandHandlers,
    { provide: ACCESS_TOKENS, useExisting: SessionTokens },
    { provide: SERVICE_USERS, useExisting: ActingServices },
    { provide: OWN_ADDRESSES, useExisting: OwnMailAddresses },
  ],
  exports: [
    ACCESS_TOKENS,
    SERVICE_USERS,
    OWN_ADDRESSES,
    AccessLists,
    Accounts,
    BeginSession,
    ExternalIds,
    Devices,
    PasswordAuthorities,
    PasswordCheck,
    FindableThreepids,
    ReadableProfiles,
    RegistrationRules,
    AuthSessions,
    InteractiveAuth,
    SteppedAuth,
    StageRegistry,
    Flows,
    PageProcess,
    ThreepidClaims,
    AuthNotes,
    TokenRights,
    KnownTokens,
    SessionTokens,
    MailValidation,
    PhoneValidation,
    Terms,
    Consents,
    FormTokens,
    FirstRegistrationToken,
    OpenIdTokens,
  ],
})
export class AccountsModule {}
