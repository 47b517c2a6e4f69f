import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { findSignature, listSigningKeyIds } from '#protocol/signing/sign-json';
import type { VerifyKey } from '#protocol/signing/signing-key';
import type { WellFormed } from './1-check-format.js';
import type { ServerKeys, WantedKey } from './server-keys.js';

/** Why the signatures of an event do not do. */
export interface SignatureFault {
  readonly reason: string;
  readonly wantedKeys: readonly WantedKey[];
}

/** NOTSPEC: a server signs with one key, or two while it changes them. More than so many key ids of one are not looked at. */
const MAX_KEYS = 10;

/**
 * Step 2: signed by all servers that must; undefined where it is. Server-server API, "Validating hashes and signatures on
 * received events"; room version 5, "Signing key validity period". Checked on other cores than this code runs on.
 *
 * A signature counts where its key is known and was valid when the event says it was made. Of each server one must count, and
 * all that count must hold.
 */
export async function findSignatureFault(
  { event, opened }: WellFormed,
  version: RoomVersion,
  keys: ServerKeys,
): Promise<SignatureFault | undefined> {
  const servers = serversToSign(event, version).map((serverName) => ({
    serverName,
    ...findCounting(event, version, serverName, keys),
  }));
  const unsigned = servers.filter(({ counting }) => counting.length === 0);
  if (unsigned.length > 0) {
    const wantedKeys = unsigned.flatMap(({ wanted }) => wanted);
    const names = unsigned.map(({ serverName }) => serverName).join(', ');
    return { reason: `No signature with a valid key that is known: ${names}`, wantedKeys };
  }
  const checks = servers.flatMap(({ serverName, counting }) =>
    counting.map(async ({ key, signature }) =>
      (await key.verifyAside(opened.essential, signature)) ? undefined : serverName,
    ),
  );
  const wrong = (await Promise.all(checks)).find((serverName) => serverName !== undefined);
  return wrong === undefined ? undefined : { reason: `The signature of ${wrong} does not hold`, wantedKeys: [] };
}

/** The servers whose signatures an event must carry. */
function serversToSign(event: RoomEvent, version: RoomVersion): ServerName[] {
  const servers = new Set<ServerName | undefined>();
  // Whoever sends the invite of a third-party identifier on may be another server than the inviting one.
  if (!isThirdPartyInvite(event)) servers.add(serverNameOf(event.sender));
  if (version.eventIds === 'opaque') servers.add(serverNameOf(event.eventId));
  if (version.restrictedJoins) servers.add(authorisingServerOf(event));
  return [...servers].filter((serverName) => serverName !== undefined);
}

function isThirdPartyInvite({ type, content }: RoomEvent): boolean {
  return type === 'm.room.member' && content['membership'] === 'invite' && isJsonObject(content['third_party_invite']);
}

/**
 * Of any membership, as the rule on that key has it. One without any such signature is not dropped here but rejected by that rule
 * (step 4), so that what stands on it can be judged.
 */
function authorisingServerOf({ type, content, pdu }: RoomEvent): ServerName | undefined {
  const authoriser = content['join_authorised_via_users_server'];
  if (type !== 'm.room.member' || typeof authoriser !== 'string') return undefined;
  const server = serverNameOf(authoriser as UserId);
  return server !== undefined && listSigningKeyIds(pdu, server).length > 0 ? server : undefined;
}

interface CountingSignature {
  readonly key: VerifyKey;
  readonly signature: Buffer;
}

function findCounting(
  { pdu, originServerTs }: RoomEvent,
  { enforceKeyValidity }: RoomVersion,
  serverName: ServerName,
  keys: ServerKeys,
): { counting: CountingSignature[]; wanted: WantedKey[] } {
  const counting: CountingSignature[] = [];
  const wanted: WantedKey[] = [];
  for (const keyId of listSigningKeyIds(pdu, serverName).slice(0, MAX_KEYS)) {
    const signature = findSignature(pdu['signatures'], serverName, keyId);
    const known = keys.find(serverName, keyId);
    const isLate = known !== undefined && known.validUntil < originServerTs;
    const isUsable = known !== undefined && !(isLate && (known.isOld || enforceKeyValidity));
    // A signature that is no base64 is one that does not hold.
    if (isUsable) counting.push({ key: known.key, signature: signature ?? Buffer.alloc(0) });
    else if (known?.isOld !== true) wanted.push({ serverName, keyId, validAt: originServerTs });
  }
  return { counting, wanted };
}
