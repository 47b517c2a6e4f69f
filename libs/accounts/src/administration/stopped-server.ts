import { AppServices } from '#config/appservices/app-services';
import type { Config } from '#config/config';
import type { CommandBus, ICommand, ICommandHandler } from '@nestjs/cqrs';
import type { EventStore } from '#event-store/event-store';
import type { KeyedNames } from '#event-store/keyed-names';
import { systemClock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { START } from '#kernel/position';
import { Accounts } from '../accounts.js';
import { ChangePassword, ChangePasswordHandler } from '../commands/change-password.js';
import { ChangeRegistrationToken, ChangeRegistrationTokenHandler } from '../commands/change-registration-token.js';
import { CreateRegistrationToken, CreateRegistrationTokenHandler } from '../commands/create-registration-token.js';
import { DeactivateAccount, DeactivateAccountHandler } from '../commands/deactivate-account.js';
import { OverrideRateLimit, OverrideRateLimitHandler } from '../commands/override-rate-limit.js';
import { RegisterAccount, RegisterAccountHandler } from '../commands/register-account.js';
import { RestrictAccount, RestrictAccountHandler } from '../commands/restrict-account.js';
import { SetAdmin, SetAdminHandler } from '../commands/set-admin.js';
import { PasswordHasher } from '../credentials/password-hasher.js';
import type { ErasedAccounts } from '../erased-accounts.js';
import { ExternalIds } from '../external-ids.js';
import { OutsideClaims } from '../outside-claims.js';
import { RegistrationClaims } from '../registration-claims.js';
import { RegistrationTokens } from '../registration-tokens.js';
import { ThreepidClaims } from '../threepids/threepid-claims.js';
import { NewPasswords } from '../sessions/new-passwords.js';
import { PasswordAuthorities } from '../sessions/password-authorities.js';
import { WhosePassword } from '../sessions/whose-password.js';
import { TokenAdministration } from './token-administration.js';
import { UserAdministration } from './user-administration.js';

/** Administration of the users of a server that does not run: upon its log alone. The views follow when it starts. */
export function administrateStopped(
  store: EventStore,
  config: Pick<Config, 'serverName' | 'notices'>,
  names: KeyedNames,
  erased?: ErasedAccounts,
): UserAdministration {
  return new UserAdministration(commandsOn(store, config, names, erased), config.serverName);
}

/** As `administrateStopped`, of the tokens by which people register. */
export function administrateTokensStopped(
  store: EventStore,
  serverName: ServerName,
  names: KeyedNames,
): TokenAdministration {
  return new TokenAdministration(commandsOn(store, { serverName }, names));
}

function commandsOn(
  store: EventStore,
  config: Pick<Config, 'serverName' | 'notices'>,
  names: KeyedNames,
  erased?: ErasedAccounts,
): Pick<CommandBus, 'execute'> {
  const settled = async (): Promise<void> => {};
  // They show nothing: whose something is from before the key of names was lost is not known here.
  const views = { whenProcessed: settled, confirm: settled, get: async () => undefined, position: () => START };
  const accounts = new Accounts(store, systemClock, views);
  const tokens = new RegistrationTokens(store, systemClock, views, {});
  const claims = new ThreepidClaims(store, systemClock, {}, accounts, names, views);
  const externalIds = new ExternalIds(store, systemClock, {}, accounts, names, views);
  const spent = new RegistrationClaims(tokens, new OutsideClaims(accounts, claims, externalIds));
  const hasher = new PasswordHasher();
  // What the operator does is done: also a name that is kept for notices.
  const own = { serverName: config.serverName };
  const services = new AppServices();
  const whose = new WhosePassword(accounts, new PasswordAuthorities(), {});
  const handlers = new Map<unknown, ICommandHandler>([
    [RegisterAccount, new RegisterAccountHandler(accounts, spent, hasher, systemClock, own, services)],
    [ChangePassword, new ChangePasswordHandler(accounts, new NewPasswords(hasher, whose), whose)],
    [DeactivateAccount, new DeactivateAccountHandler(accounts, claims, config, erased)],
    [SetAdmin, new SetAdminHandler(accounts)],
    [OverrideRateLimit, new OverrideRateLimitHandler(accounts)],
    [RestrictAccount, new RestrictAccountHandler(accounts)],
    [CreateRegistrationToken, new CreateRegistrationTokenHandler(tokens)],
    [ChangeRegistrationToken, new ChangeRegistrationTokenHandler(tokens)],
  ]);
  const execute = (command: ICommand): Promise<unknown> => {
    const handler = handlers.get(command.constructor);
    if (handler === undefined) throw new Error(`${command.constructor.name} needs a running server`);
    return handler.execute(command);
  };
  return { execute: execute as CommandBus['execute'] };
}
