import type { UserAdministration } from '#accounts/administration/user-administration';
import type { RateLimitOverridden, Restriction } from '#accounts/facts/account-facts';
import { listAccounts } from '#accounts/queries/list-accounts';
import type { UserId } from '#kernel/ids';
import type { ControlMethod } from '#projections/control-server';
import type { ControlRequest } from '#projections/control-socket';
import type { Views } from '#projections/views';

const MOST_LISTED = 1000;

/** What the command line can ask of a running server about its users. Passwords come through the socket, which is its owner's alone. */
export function userMethods(users: UserAdministration, views: Views): Readonly<Record<string, ControlMethod>> {
  return {
    'users.create': (request) =>
      users.create(textOf(request, 'name'), textOf(request, 'password'), request.admin === true),
    'users.reset-password': (request) =>
      users.resetPassword(textOf(request, 'name'), textOf(request, 'password'), request.keepSessions === true),
    'users.deactivate': (request) => users.deactivate(textOf(request, 'name'), request.erase === true),
    'users.reopen': (request) =>
      users.reopen(textOf(request, 'name'), request.password === undefined ? undefined : textOf(request, 'password')),
    'users.set-admin': (request) => users.setAdmin(textOf(request, 'name'), request.admin === true),
    'users.restrict': (request) =>
      users.restrict(textOf(request, 'name'), restrictionOf(request), request.isOn !== false),
    'users.set-rate-limit': (request) => users.setRateLimit(textOf(request, 'name'), rateLimitOf(request)),
    // A page; the next one begins behind its last user id.
    'users.list': ({ after }) =>
      listAccounts(views, { after: typeof after === 'string' ? (after as UserId) : undefined, limit: MOST_LISTED }),
  };
}

function restrictionOf(request: ControlRequest): Restriction {
  const restriction = textOf(request, 'restriction');
  if (restriction !== 'locked' && restriction !== 'suspended') throw new Error(`${request.method}: ${restriction}?`);
  return restriction;
}

function rateLimitOf({ perSecond, burst }: ControlRequest): RateLimitOverridden | undefined {
  return typeof perSecond === 'number' && typeof burst === 'number' ? { per_second: perSecond, burst } : undefined;
}

function textOf(request: ControlRequest, key: string): string {
  const text = request[key];
  if (typeof text !== 'string') throw new Error(`${request.method}: ${key} is missing`);
  return text;
}
