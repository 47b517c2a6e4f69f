import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { userIdOfStream } from '#kernel/user-stream';
import { asJson, Collection, type Entry, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { type InvitationHeld, userIdOfHeld } from '../facts/held-invitation-facts.js';
import { purgeOf } from './purged-rows.js';

/** Invitations to a room of which some are held, or were. */
export interface HeldInvitationRow {
  /** Whose are held: none once all are shown again. */
  readonly held: readonly UserId[];
  /** Whose was shown again last, and since when. */
  readonly shown?: { readonly sender: UserId; readonly pos: Position };
  /** Up to where it is so. */
  readonly pos: Position;
}

export const HELD_INVITATIONS = new Collection<readonly [userId: UserId, roomId: RoomId], HeldInvitationRow>(
  'held-invitations',
  {
    key: ['user', 'room'],
    says: 'whose invitation is not shown for now, or is shown again since when',
    codec: asJson(),
  },
);

/** Which invitations their users are not shown for now. */
export const heldInvitationsProjector: Projector = {
  name: 'held-invitations',
  version: 3,
  ...owning(HELD_INVITATIONS),
  handles: (type) => HANDLED.has(type),
  project,
};

const HANDLED: ReadonlySet<string> = new Set([
  'invitation-held',
  'invitation-released',
  'room-purged',
  'account-deactivated',
]);
/** So many that are shown again are known as such; those of before are told to no client any more that it did not know them. */
const MOST_SHOWN = 200;

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  if (fact.type === 'room-purged') {
    const { roomId, users } = purgeOf(fact);
    for (const userId of users) HELD_INVITATIONS.delete(rows, [userId, roomId]);
    return;
  }
  if (fact.type === 'account-deactivated') return endAll(userIdOfStream(fact.stream), rows);
  const { room_id: roomId, sender, ended } = JSON.parse(fact.data) as InvitationHeld; // written by HeldInvitations
  const userId = userIdOfHeld(fact.stream);
  const key = [userId, roomId] as const;
  const before = await HELD_INVITATIONS.get(rows, key);
  const { position: pos } = fact;
  if (before !== undefined && before.pos > pos) return; // applied before, and a newer one since
  if (ended === true) {
    HELD_INVITATIONS.delete(rows, key);
    return;
  }
  const others = (before?.held ?? []).filter((one) => one !== sender);
  if (fact.type === 'invitation-held') {
    HELD_INVITATIONS.put(rows, key, { ...before, held: [...others, sender], pos });
    return;
  }
  if (others.length === 0) await forgetFirst(userId, roomId, rows);
  HELD_INVITATIONS.put(rows, key, { held: others, shown: { sender, pos }, pos });
}

async function endAll(userId: UserId, rows: OwnRows): Promise<void> {
  for await (const page of HELD_INVITATIONS.pages(rows, { prefix: [userId] })) {
    for (const { key } of page) HELD_INVITATIONS.delete(rows, key);
  }
}

/** Makes room for one more that is shown again. */
async function forgetFirst(userId: UserId, roomId: RoomId, rows: OwnRows): Promise<void> {
  const shown: Entry<readonly [UserId, RoomId], HeldInvitationRow>[] = [];
  for await (const page of HELD_INVITATIONS.pages(rows, { prefix: [userId] })) {
    shown.push(...page.filter(({ key, value }) => value.held.length === 0 && key[1] !== roomId));
  }
  if (shown.length < MOST_SHOWN) return;
  shown.sort((a, b) => (a.value.pos < b.value.pos ? -1 : 1));
  for (const { key } of shown.slice(0, shown.length - MOST_SHOWN + 1)) HELD_INVITATIONS.delete(rows, key);
}
