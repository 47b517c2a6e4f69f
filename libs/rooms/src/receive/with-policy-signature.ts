import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { addSignature } from '#protocol/signing/sign-json';
import type { PolicySignature } from '../room-policy.js';

/** An event with the signature of its room's policy server beside those that it has: neither its id nor its hash covers them. */
export function withPolicySignature(
  event: RoomEvent,
  { signer, keyId, signature }: PolicySignature,
  { strictCanonicalJson }: Pick<RoomVersion, 'strictCanonicalJson'>,
): { readonly event: RoomEvent; readonly pduText: string } {
  const signatures = addSignature(event.pdu['signatures'], signer, keyId, signature);
  const pdu = { ...event.pdu, signatures };
  return { event: { ...event, pdu }, pduText: canonicalJson(pdu, { lenient: !strictCanonicalJson }) };
}
