import { readIgnoredUsers } from '#accounts/queries/ignored-users';
import { type InviteRules, readInviteRules } from '#accounts/queries/invite-rules';
import type { RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { HELD_INVITATIONS, type HeldInvitationRow } from '../projections/held-invitations.projector.js';

/** Whose eyes an answer is for. */
export interface Reader {
  readonly userId: UserId;
  /** The device, where there is one: only it is told the transaction ids of its own events. */
  readonly deviceId?: string;
  /** The users whose messages the reader does not want. Never the reader. */
  readonly ignored: ReadonlySet<UserId>;
  /** Where the reader is told what is new: whose invitations they do not want besides. */
  readonly rules?: InviteRules;
  /** There: which invitations are held, and which are shown again since when. */
  readonly held?: ReadonlyMap<RoomId, HeldInvitationRow>;
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
  views: Pick<Views, 'get' | 'getMany' | 'scan'>,
  requester: Omit<Reader, 'ignored' | 'rules' | 'held'>,
): Promise<Reader> {
  const { userId } = requester;
  const [reader, rules] = await Promise.all([readerOf(views, requester), readInviteRules(views, userId)]);
  if (rules === undefined) return reader;
  // PERF: nearly nobody says anything of it.
  if (!rules.mayHold) return { ...reader, rules };
  const held = new Map<RoomId, HeldInvitationRow>();
  // All of them: what is left out would be shown.
  await HELD_INVITATIONS.forEach(views, { prefix: [userId] }, ({ key, value }) => void held.set(key[1], value));
  return { ...reader, rules, held };
}

/** Whether a reader is told nothing of an invitation to a room by somebody. */
export function refusesInvitations({ ignored, rules, held }: Reader, roomId: RoomId, sender: UserId): boolean {
  if (ignored.has(sender) || (rules !== undefined && rules.ruleFor(sender) !== 'allow')) return true;
  return held?.get(roomId)?.held.includes(sender) === true;
}
