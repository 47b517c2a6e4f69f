import { CommandBus } from '@nestjs/cqrs';
import { RestrictAccount } from '#accounts/commands/restrict-account';
import { parseUserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { AccountsApp, Answer } from './accounts-app.js';

const V3 = '/_matrix/client/v3';

/** What tests ask of accounts, of an app that is there by the time that they do. */
export interface AccountCalls {
  /** `path`: after `/_matrix/client/v3/`, or whole. */
  post(path: string, body: object, token?: string): Promise<Answer>;
  logIn(claim: object, password: string): Promise<Answer>;
  /** Medium and address of each that the account has. */
  addresses(token: string): Promise<unknown>;
  lock(userId: string, isOn: boolean): Promise<unknown>;
}

export function accountCalls(appOf: () => AccountsApp): AccountCalls {
  const post: AccountCalls['post'] = (path, body, token) =>
    appOf().call('POST', path.startsWith('/') ? path : `${V3}/${path}`, {
      body,
      ...(token === undefined ? {} : { token }),
    });
  return {
    post,
    logIn: (claim, password) => post('login', { type: 'm.login.password', ...claim, password }),
    addresses: async (token) =>
      ((await appOf().call('GET', `${V3}/account/3pid`, { token })).body['threepids'] as JsonObject[]).map(
        ({ medium, address }) => [medium, address],
      ),
    lock: (userId, isOn) => {
      const parsed = parseUserId(userId, appOf().config.serverName);
      return appOf()
        .get(CommandBus)
        .execute(new RestrictAccount(parsed, 'locked', isOn, { actor: userId }));
    },
  };
}
