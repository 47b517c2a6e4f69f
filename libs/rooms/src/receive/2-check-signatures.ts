import { type ServerName, serverNameOf } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import { authorisingServerOf, NOT_AUTHORISED } from '#protocol/event-auth/check-auth-events';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { findSignature, listSigningKeyIds } from '#protocol/signing/sign-json';
import type { OpenedEvent } from '#protocol/signing/open-event';
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
 * Step 2: signed by the servers that must; undefined where it is. Server-server API, "Validating hashes and signatures on
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
  const servers = serversToSign(event, version).map((serverName) => findCounting(event, version, serverName, keys));
  const unsigned = servers.filter(({ counting }) => counting.length === 0);
  if (unsigned.length > 0) {
    const wantedKeys = unsigned.flatMap(({ wanted }) => wanted);
    return unknownKeys(
      unsigned.map(({ serverName }) => serverName),
      wantedKeys,
    );
  }
  const wrong = (await Promise.all(servers.map((one) => doAllHold(one, opened)))).indexOf(false);
  return wrong < 0
    ? undefined
    : { reason: `The signature of ${servers[wrong]!.serverName} does not hold`, wantedKeys: [] };
}

/**
 * What the signature of the server says that authorises a restricted join. "Only the signature(s) from the originating server [...] are
 * required for verification" (as above), so this one is asked for by the rule on that key alone: room version 8, rule 4.2 (5.2 in
 * version 12). Where it is there and does not hold, or none is there, the event is rejected (step 4), so that what stands on it can be
 * judged. NOTSPEC: where no key of it is known it is dropped, for a rejection is for ever, and the key may yet be fetched.
 */
export async function checkAuthoriser(
  { event, opened }: WellFormed,
  version: RoomVersion,
  keys: ServerKeys,
): Promise<{ readonly fault?: SignatureFault; readonly refusal?: string }> {
  const serverName = authorisingServerOf(event, version);
  if (serverName === undefined || listSigningKeyIds(event.pdu, serverName).length === 0) return {};
  const one = findCounting(event, version, serverName, keys);
  if (one.counting.length === 0) return { fault: unknownKeys([serverName], one.wanted) };
  return (await doAllHold(one, opened)) ? {} : { refusal: NOT_AUTHORISED };
}

function unknownKeys(servers: readonly ServerName[], wantedKeys: readonly WantedKey[]): SignatureFault {
  return { reason: `No signature with a valid key that is known: ${servers.join(', ')}`, wantedKeys };
}

async function doAllHold({ counting }: SignaturesOf, { essential }: OpenedEvent): Promise<boolean> {
  const checks = counting.map(({ key, signature }) => key.verifyAside(essential, signature));
  return !(await Promise.all(checks)).includes(false);
}

/** The servers whose signatures an event must carry. */
function serversToSign(event: RoomEvent, version: RoomVersion): ServerName[] {
  const servers = new Set<ServerName | undefined>();
  // Whoever sends the invite of a third-party identifier on may be another server than the inviting one.
  if (!isThirdPartyInvite(event)) servers.add(serverNameOf(event.sender));
  if (version.eventIds === 'opaque') servers.add(serverNameOf(event.eventId));
  return [...servers].filter((serverName) => serverName !== undefined);
}

function isThirdPartyInvite({ type, content }: RoomEvent): boolean {
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
