import { readIgnoredUsers } from '#accounts/queries/ignored-users';
import { type InviteRules, readInviteRules } from '#accounts/queries/invite-rules';
import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';

/** Whose eyes an answer is for. */
export interface Reader {
  readonly userId: UserId;
  /** The device, where there is one: only it is told the transaction ids of its own events. */
  readonly deviceId?: string;
  /** The users whose messages the reader does not want. Never the reader. */
  readonly ignored: ReadonlySet<UserId>;
  /** Where the reader is told what is new: whose invitations they do not want besides. */
  readonly rules?: InviteRules;
}

/** Who sent a request, as a reader. */
export async function readerOf(
  views: Pick<Views, 'get'>,
  { userId, deviceId }: Omit<Reader, 'ignored'>,
): Promise<Reader> {
  return { userId, deviceId, ignored: await readIgnoredUsers(views, userId) };
}

/**
 * As `readerOf`, for what tells clients what is new: there invitations are left out that the reader does not want ("MUST NOT be served over client
 * synchronisation endpoints": client-server API, "Invite permission"). Others serve them as any event.
 */
export async function followerOf(
  views: Pick<Views, 'get' | 'getMany'>,
  requester: Omit<Reader, 'ignored' | 'rules'>,
): Promise<Reader> {
  const [reader, rules] = await Promise.all([readerOf(views, requester), readInviteRules(views, requester.userId)]);
  return rules === undefined ? reader : { ...reader, rules };
}

/** Whether a reader is told nothing of invitations by somebody. */
export function refusesInvitations({ ignored, rules }: Pick<Reader, 'ignored' | 'rules'>, sender: UserId): boolean {
  return ignored.has(sender) || (rules !== undefined && rules.ruleFor(sender) !== 'allow');
}
