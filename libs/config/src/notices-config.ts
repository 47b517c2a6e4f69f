import type { ServerName, UserId } from '#kernel/ids';
import type { Settings } from './settings.js';

/** The user by whom this server speaks to its users. */
export interface NoticesConfig {
  readonly userId: UserId;
  /** What the user and its rooms are called. */
  readonly name: string;
  /** An mxc:// URI. */
  readonly avatarUrl?: string;
}

/** All of it checked by the validator. */
export function noticesOf(settings: Settings): NoticesConfig | undefined {
  const { notices_user: localpart, notices_name: name, notices_avatar: avatarUrl } = settings;
  if (localpart === undefined) return undefined;
  const userId = `@${localpart}:${settings.server_name as ServerName}` as UserId;
  return Object.freeze({ userId, name, ...(avatarUrl === undefined ? {} : { avatarUrl }) });
}
