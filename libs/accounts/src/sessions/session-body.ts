import type { DeviceId, ServerName, UserId } from '#kernel/ids';
import type { IssuedTokens } from './issue-tokens.js';

/** The answer to a login or registration. `home_server` is deprecated, and still read by older clients. */
export interface SessionBody extends Partial<IssuedTokens> {
  readonly user_id: UserId;
  readonly home_server: ServerName;
  readonly device_id?: DeviceId;
}

/** The answer of today's API for an account and, where one was opened, its session. */
export function sessionBody(
  userId: UserId,
  serverName: ServerName,
  session?: { readonly deviceId: DeviceId; readonly tokens: IssuedTokens },
): SessionBody {
  const body = { user_id: userId, home_server: serverName };
  return session === undefined ? body : { ...body, device_id: session.deviceId, ...session.tokens };
}
