import { Inject, Injectable, Optional } from '@nestjs/common';
import { GROUPS_OF, type GroupsOf } from '#accounts/groups-of';
import { PROFILES } from '#accounts/projections/profiles.projector';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import { refuseSuspended } from '#kernel/refuse-suspended';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import type { RoomEvent } from '#protocol/room-event';
import { refuseWhilePartial } from '../decide/refuse-while-partial.js';
import { USER_ROOMS } from '../projections/membership.projector.js';
import { ROOM_STATE } from '../projections/room-state.projector.js';
import { TIMELINE } from '../projections/timeline-collections.js';
import { whenWhole } from '../queries/partial-rooms.js';
import { contextOf } from '../worker/requester-context.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { checkIsIn, checkState } from './check-state.js';
import { InvitationsElsewhere } from './invite-elsewhere.js';
import type { InvitePermissions } from './invite-permissions.js';

export type Membership = 'join' | 'invite' | 'leave' | 'ban' | 'knock';

/** The views that an answer waits for which says that somebody is in a room, or is no more: what they may ask next reads these. */
export const MEMBERSHIP_VIEWS: readonly string[] = [USER_ROOMS.name, ROOM_STATE.name, TIMELINE.name];

/** What member events repeat of a profile. */
export const SHOWN_IN_ROOMS = ['displayname', 'avatar_url'] as const;
export type ShownInRooms = (typeof SHOWN_IN_ROOMS)[number];

/** A change of one user's membership, by that user or another. */
export interface MembershipChange {
  readonly target: UserId;
  readonly membership: Membership;
  readonly reason?: string;
  /** Further keys of the content. */
  readonly content?: JsonObject;
  /** Whether a target that has this membership already keeps the event it has, whatever else that says. */
  readonly onlyOnce?: boolean;
  /** Whether it is the invitation that was offered an address: who did may have left since. */
  readonly wasOffered?: boolean;
  /** Refuses by throwing, knowing the target's membership before. */
  readonly check?: (before: string | undefined) => void;
}

/**
 * What all commands on memberships do: the content with the target's profile, the authorisation rules, one event. A change
 * that changes nothing answers the event that stands.
 */
@Injectable()
export class MembershipChanges {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
    /** Of those whose server is asked first. */
    readonly invitations: InvitationsElsewhere,
    @Optional() @Inject(GROUPS_OF) readonly groups?: GroupsOf,
  ) {}

  /** Where all of the room is needed and is not here, that is waited for. Throws RoomIsPartial where it takes long, and as `refuseSuspended`. */
  change(requester: Requester, roomId: RoomId, change: MembershipChange): Promise<EventId> {
    const isLeave = change.target === requester.userId && change.membership === 'leave';
    if (!isLeave) refuseSuspended(requester);
    return whenWhole(this.views, roomId, () => this.#change(requester, roomId, change));
  }

  async #change(requester: Requester, roomId: RoomId, change: MembershipChange): Promise<EventId> {
    const { target, membership: wanted, wasOffered = false } = change;
    const content = { ...(await this.contentOf(change)), ...change.content };
    if (wanted === 'invite' && this.invitations.isElsewhere(target)) {
      return this.invitations.invite(roomId, requester.userId, target, content, contextOf(requester), wasOffered);
    }
    const { result, position } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
      refuseWhilePartial(turn.head, { type: 'm.room.member', sender: requester.userId, stateKey: target, content });
      const before = await turn.findState('m.room.member', change.target);
      const membership = before?.content['membership'] as string | undefined;
      if (before !== undefined && change.onlyOnce === true && membership === change.membership) return before.eventId;
      if (requester.userId !== target && !wasOffered) await checkIsIn(turn, requester.userId);
      change.check?.(membership);
      const { permissions } = this.invitations;
      return sendMembership(turn, requester.userId, target, content, before, { permissions, wasOffered });
    });
    if (position !== undefined) await this.views.whenProcessed(position, MEMBERSHIP_VIEWS);
    return result;
  }

  /**
   * Tells a room a user is in of their profile as it is when the room's turn comes (`contentOf` of a join), so that what is told last is never
   * what was before; the member event keeps whatever else it said. `keys` of it alone, where others may be what the user is called in this room;
   * `given` is what the user said of themself there. Answers whether the room had something else. Throws what may pass.
   */
  async tellProfile(
    requester: Requester,
    roomId: RoomId,
    { keys = SHOWN_IN_ROOMS, given = {} }: { readonly keys?: readonly string[]; readonly given?: JsonObject } = {},
  ): Promise<boolean> {
    const { userId } = requester;
    const sent = this.workers.run(roomId, contextOf(requester), async (turn) => {
      const before = await turn.findState('m.room.member', userId);
      if (before?.content['membership'] !== 'join') return;
      const profile = await this.contentOf({ target: userId, membership: 'join' });
      const { join_authorised_via_users_server: _, ...said } = before.content;
      const told = new Set<string>(keys);
      const kept = Object.entries(said).filter(([key]) => !told.has(key));
      const now = Object.entries(profile).filter(([key]) => told.has(key));
      await sendMembership(turn, userId, userId, { ...Object.fromEntries([...kept, ...now]), ...given }, before);
    });
    try {
      const { position } = await sent;
      if (position !== undefined) await this.views.whenProcessed(position, MEMBERSHIP_VIEWS);
      return position !== undefined;
    } catch (error) {
      // A room may forbid it (a join rule that has changed since); the other rooms are told all the same.
      if (!(error instanceof MatrixError) || mayPass(error)) throw error;
      return false;
    }
  }

  /**
   * Tells a room that a user has just entered of a profile that changed meanwhile: who announces profiles did not see them in
   * it yet, and they came in with the old one. The views must show the join. `given` is what the user said of themself there.
   */
  async tellNewerProfile(
    requester: Requester,
    roomId: RoomId,
    shown: JsonObject,
    given: JsonObject = {},
  ): Promise<void> {
    const now = await this.contentOf({ target: requester.userId, membership: 'join' });
    if (canonicalJson(now) === canonicalJson(shown)) return;
    try {
      await this.tellProfile(requester, roomId, { given });
    } catch (error) {
      // They are in the room, whatever it says of them: whoever let them in does not fail by it.
      if (!mayPass(error)) throw error;
    }
  }

  /** The content of a member event: with the profile where the target is or is asked to be in the room. */
  async contentOf({ target, membership, reason }: MembershipChange): Promise<JsonObject> {
    const shown = membership === 'join' || membership === 'invite' || membership === 'knock';
    const profile = shown ? await this.#findProfile(target, membership) : undefined;
    const { displayname, avatar_url } = (profile === undefined ? {} : JSON.parse(profile)) as JsonObject;
    return {
      membership,
      ...(typeof displayname === 'string' ? { displayname } : {}),
      ...(typeof avatar_url === 'string' ? { avatar_url } : {}),
      ...(reason === undefined ? {} : { reason }),
    };
  }

  /** Who is invited and has no account may get one for that. */
  async #findProfile(target: UserId, membership: Membership): Promise<string | undefined> {
    const profile = await PROFILES.get(this.views, [target]);
    const isUnknown = profile === undefined && membership === 'invite' && !this.invitations.isElsewhere(target);
    const { demand } = this.invitations.permissions;
    if (!isUnknown || demand === undefined) return profile;
    await demand.make(target);
    return PROFILES.get(this.views, [target]);
  }
}

/**
 * Sends a member event, or answers the same one where it stands already; in both cases only to who may send it, and where it invites somebody as
 * `permissions` let them be; `wasOffered` as `checkState`.
 */
export async function sendMembership(
  turn: RoomTurn,
  sender: UserId,
  target: UserId,
  content: JsonObject,
  before: RoomEvent | undefined,
  {
    permissions,
    wasOffered,
  }: { readonly permissions?: Pick<InvitePermissions, 'check' | 'hold'>; readonly wasOffered?: boolean } = {},
): Promise<EventId> {
  const draft = { type: 'm.room.member', stateKey: target, sender, content };
  await checkState(turn, draft, wasOffered);
  const isHeld = content['membership'] === 'invite' && (await permissions?.check(sender, target, content)) === true;
  const lenient = !turn.head.version.strictCanonicalJson;
  const unchanged =
    before?.sender === sender && canonicalJson(before.content, { lenient }) === canonicalJson(content, { lenient });
  if (unchanged) return before.eventId;
  if (isHeld) await permissions?.hold(turn.roomId, sender, target);
  return (await turn.send(draft)).eventId;
}
