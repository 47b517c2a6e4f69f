import { isJsonObject } from '#kernel/json';
import type { RoomEvent, StateKey } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';

const CREATE: StateKey = { type: 'm.room.create', stateKey: '' };
const POWER_LEVELS: StateKey = { type: 'm.room.power_levels', stateKey: '' };
const JOIN_RULES: StateKey = { type: 'm.room.join_rules', stateKey: '' };

/**
 * The keys of the state whose current events belong into `auth_events` of an event, as far as the state has them:
 * server-server API, "Auth events selection". Each key once. Never the create event from room version 12 on.
 */
export function selectAuthTypes(
  event: Pick<RoomEvent, 'type' | 'sender' | 'content'> & Partial<Pick<RoomEvent, 'stateKey'>>,
  version: RoomVersion,
): StateKey[] {
  if (event.type === 'm.room.create') return [];
  const keys = [POWER_LEVELS, memberKey(event.sender)];
  if (!version.roomIdIsCreateHash) keys.push(CREATE);
  if (event.type === 'm.room.member' && event.stateKey !== undefined) addMembershipKeys(keys, event, version);
  return keys;
}

function addMembershipKeys(
  keys: StateKey[],
  { sender, stateKey: target, content }: Parameters<typeof selectAuthTypes>[0],
  version: RoomVersion,
): void {
  if (target !== undefined && target !== sender) keys.push(memberKey(target));
  const { membership } = content;
  if (membership === 'join' || membership === 'invite' || membership === 'knock') keys.push(JOIN_RULES);
  if (membership === 'invite') {
    const token = thirdPartyTokenOf(content);
    if (token !== undefined) keys.push({ type: 'm.room.third_party_invite', stateKey: token });
  }
  const authoriser = content.join_authorised_via_users_server;
  if (membership !== 'join' || !version.restrictedJoins || typeof authoriser !== 'string') return;
  if (authoriser !== sender && authoriser !== target) keys.push(memberKey(authoriser));
}

function memberKey(user: string): StateKey {
  return { type: 'm.room.member', stateKey: user };
}

function thirdPartyTokenOf(content: RoomEvent['content']): string | undefined {
  const invite = content.third_party_invite;
  const signed = isJsonObject(invite) ? invite.signed : undefined;
  const token = isJsonObject(signed) ? signed.token : undefined;
  return typeof token === 'string' ? token : undefined;
}
