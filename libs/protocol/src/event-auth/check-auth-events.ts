import { serverNameOf, type EventId, type ServerName, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { RoomEvent } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { stateKeyOf } from '../state-trie/state-key-of.js';
import { listSigningKeyIds } from '../signing/sign-json.js';
import type { Refusal } from './refusal.js';
import { selectAuthTypes } from './select-auth-types.js';

/**
 * Checks what does not depend on the state: rule 3 (rule 2 before version 12) on the `auth_events`, and rule 5.2 as far as
 * the authorising server's signature must exist; whether it holds is for who has the keys. `authEvents` are all the events that
 * `auth_events` names. Throws M_FORBIDDEN that says why.
 */
export function checkAuthEvents(
  event: RoomEvent,
  authEvents: readonly RoomEvent[],
  version: RoomVersion,
  isRejected: (eventId: EventId) => boolean,
): void {
  const refusal = findAuthEventsRefusal(event, authEvents, version, isRejected);
  if (refusal !== undefined) throw new MatrixError('M_FORBIDDEN', refusal);
}

/** As `checkAuthEvents`, but answers the reason instead of throwing it; undefined for an event that is allowed. */
export function findAuthEventsRefusal(
  event: RoomEvent,
  authEvents: readonly RoomEvent[],
  version: RoomVersion,
  isRejected: (eventId: EventId) => boolean,
): Refusal {
  const isSignedBy = (server: ServerName): boolean => listSigningKeyIds(event.pdu, server).length > 0;
  return refuseAuthEvents(event, authEvents, version, isRejected) ?? refuseUnsignedJoin(event, version, isSignedBy);
}

function refuseAuthEvents(
  event: RoomEvent,
  authEvents: readonly RoomEvent[],
  version: RoomVersion,
  isRejected: (eventId: EventId) => boolean,
): Refusal {
  if (event.type === 'm.room.create') return undefined;
  const selected = new Set(selectAuthTypes(event, version).map((key) => stateKeyOf(key.type, key.stateKey)));
  const seen = new Set<string>();
  for (const { eventId, roomId, type, stateKey } of authEvents) {
    const key = stateKey === undefined ? undefined : stateKeyOf(type, stateKey);
    // 3.1 and 3.2
    if (key === undefined || !selected.has(key)) return `${type} (${eventId}) does not belong into auth_events`;
    if (seen.has(key)) return `${type} is twice in auth_events`;
    seen.add(key);
    // 3.3
    if (isRejected(eventId)) return `The auth event ${eventId} was rejected`;
    // 3.5
    if (roomId !== event.roomId) return `The auth event ${eventId} is of another room`;
  }
  // 3.4, gone in version 12
  if (!version.roomIdIsCreateHash && !seen.has(stateKeyOf('m.room.create', ''))) {
    return 'There is no create event in auth_events';
  }
  return undefined;
}

/** Why rule 5.2 refuses a membership. */
export const NOT_AUTHORISED = 'The join is not signed by the server that authorises it';

/** The server that must have signed a membership because it names a user of it as who authorises a restricted join. */
export function authorisingServerOf({ type, content }: RoomEvent, version: RoomVersion): ServerName | undefined {
  const authoriser = content.join_authorised_via_users_server;
  if (!version.restrictedJoins || type !== 'm.room.member' || typeof authoriser !== 'string') return undefined;
  return serverNameOf(authoriser as UserId);
}

/** 5.2. `isSignedBy`: whether a server has signed the event, or will have. */
export function refuseUnsignedJoin(
  event: RoomEvent,
  version: RoomVersion,
  isSignedBy: (server: ServerName) => boolean,
): Refusal {
  const isNamed = version.restrictedJoins && event.type === 'm.room.member';
  if (!isNamed || event.content.join_authorised_via_users_server === undefined) return undefined;
  const server = authorisingServerOf(event, version);
  return server !== undefined && isSignedBy(server) ? undefined : NOT_AUTHORISED;
}
