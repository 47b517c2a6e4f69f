import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { parseRoomEvent } from '#protocol/parse-room-event';
import { eventIdOf } from '#protocol/signing/reference-hash';
import { sealEvent } from '#protocol/signing/seal-event';
import { hashAndSignEvent } from '#protocol/signing/sign-event';
import { createSigningKey, parseVerifyKey } from '#protocol/signing/signing-key';
import { measure, sampleEvent } from './measure.js';

/** Why sealEvent puts three texts together from parts: beside the plain composition. Lines of text, microseconds each. */
export function benchSealEvent(): string[] {
  const version = findRoomVersion('12')!;
  const key = createSigningKey(Buffer.alloc(32, 7), 'a_1');
  const verifyKey = parseVerifyKey(key.publicKey)!;
  const pdu = sampleEvent();
  const sealed = sealEvent(pdu, version, 'example.org', key);
  const bytes = Buffer.from(sealed.json);
  const signature = key.sign(bytes);
  return [
    measure('hashAndSignEvent, canonicalJson and eventIdOf', () => {
      const signed = hashAndSignEvent(pdu, version, 'example.org', key);
      return [signed, canonicalJson(signed), eventIdOf(signed, version)];
    }),
    measure('sealEvent', () => sealEvent(pdu, version, 'example.org', key)),
    measure('of which the signature', () => key.sign(bytes)),
    measure('parseRoomEvent of a sealed event', () => parseRoomEvent(sealed.pdu, version, undefined, sealed)),
    measure('parseRoomEvent of a received event', () => parseRoomEvent(sealed.pdu, version)),
    measure('checking one signature', () => verifyKey.verify(bytes, signature)),
  ];
}
