import { type ServerName, serverNameOf } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import { authorisingServerOf } from '#protocol/event-auth/check-auth-events';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { findSignature, listSigningKeyIds } from '#protocol/signing/sign-json';
import type { OpenedEvent } from '#protocol/signing/open-event';
import type { VerifyKey } from '#protocol/signing/signing-key';
import type { ServerKeys, WantedKey } from '../server-keys.js';

/** Why the signatures of an event do not do. */
export interface SignatureFault {
  readonly reason: string;
  readonly wantedKeys: readonly WantedKey[];
}

/** NOTSPEC: a server signs with one key, or two while it changes them. More than so many key ids of one are not looked at. */
const MAX_KEYS = 10;

/** An event, and the text that its signatures are over. */
interface SignedEvent {
  /** Redacted where its content hash does not hold: nobody answers for what that takes away. */
  readonly event: RoomEvent;
  readonly opened: Pick<OpenedEvent, 'essential'>;
}

/**
 * Step 2: signed by the servers that must; undefined where it is. Server-server API, "Validating hashes and signatures on
 * received events"; room version 5, "Signing key validity period". Many that come
 * at once are checked on other cores than this code runs on.
 *
 * A signature counts where its key is known and was valid when the event says it was made. Of each server one must count, and
 * all that count must hold.
 */
export async function findSignatureFault(
  { event, opened }: SignedEvent,
  version: RoomVersion,
  keys: ServerKeys,
): Promise<SignatureFault | undefined> {
  const servers = serversToSign(event, version).map((serverName) => findCounting(event, version, serverName, keys));
  const unsigned = servers.filter(({ counting }) => counting.length === 0);
  if (unsigned.length > 0) {
    const names = unsigned.map(({ serverName }) => serverName).join(', ');
    const wantedKeys = unsigned.flatMap(({ wanted }) => wanted);
    return { reason: `No signature with a valid key that is known: ${names}`, wantedKeys };
  }
  const wrong = (await Promise.all(servers.map((one) => doAllHold(one, opened)))).indexOf(false);
  return wrong < 0
    ? undefined
    : { reason: `The signature of ${servers[wrong]!.serverName} does not hold`, wantedKeys: [] };
}

async function doAllHold({ counting }: SignaturesOf, { essential }: SignedEvent['opened']): Promise<boolean> {
  const checks = counting.map(({ key, signature }) => key.verifyAside(essential, signature));
  return !(await Promise.all(checks)).includes(false);
}

/**
 * The servers whose signatures an event must carry.
 *
 * NOTSPEC: the one that authorises a restricted join is asked for by the rules of authorisation (room version 8, rule 4.2; 5.2 in version
 * 12), which reject. But signatures are no part of what the event id stands for: by a copy without this one, whoever passes it on could
 * have the join rejected here for ever, and all that its user says. So it is dropped, and waits for a copy that has it, as in other servers.
 */
function serversToSign(event: RoomEvent, version: RoomVersion): ServerName[] {
  const servers = new Set<ServerName | undefined>();
  // Whoever sends the invite of a third-party identifier on may be another server than the inviting one.
  if (!isThirdPartyInvite(event)) servers.add(serverNameOf(event.sender));
  if (version.eventIds === 'opaque') servers.add(serverNameOf(event.eventId));
  servers.add(authorisingServerOf(event, version));
  return [...servers].filter((serverName) => serverName !== undefined);
}

/** Whether an event invites whom a third-party identifier stood for. */
export function isThirdPartyInvite({ type, content }: RoomEvent): boolean {
  return type === 'm.room.member' && content['membership'] === 'invite' && isJsonObject(content['third_party_invite']);
}

/** What one server signed an event with. */
interface SignaturesOf {
  readonly serverName: ServerName;
  readonly counting: readonly CountingSignature[];
  readonly wanted: readonly WantedKey[];
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
): SignaturesOf {
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
  return { serverName, counting, wanted };
}
