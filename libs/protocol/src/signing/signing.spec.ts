import * as fc from 'fast-check';
import nacl from 'tweetnacl';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { canonicalJson } from '../canonical-json/canonical-json.js';
import { redact } from '../redaction/redact.js';
import type { Pdu } from '../room-event.js';
import { findRoomVersion, ROOM_VERSIONS } from '../room-versions/room-versions.js';
import { decodeBase64, encodeBase64 } from './base64.js';
import { contentHash, hasContentHash } from './content-hash.js';
import { eventIdOf, referenceHash } from './reference-hash.js';
import { hashAndSignEvent, signEvent, verifyEventSignature } from './sign-event.js';
import { listSigningKeyIds, signJson, verifyJson } from './sign-json.js';
import {
  createSigningKey,
  decodeSigningKey,
  encodeSigningKey,
  generateSigningKey,
  parseVerifyKey,
} from './signing-key.js';

// Specification, appendices, "Cryptographic Test Vectors".
const key = createSigningKey(decodeBase64('YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1')!, '1');
const verifyKey = parseVerifyKey(key.publicKey)!;
const V1 = findRoomVersion('1')!;
const V10 = findRoomVersion('10')!;

const MINIMAL: Pdu = {
  room_id: '!x:domain',
  sender: '@a:domain',
  origin: 'domain',
  origin_server_ts: 1000000,
  signatures: {},
  hashes: {},
  type: 'X',
  content: {},
  prev_events: [],
  auth_events: [],
  depth: 3,
  unsigned: { age_ts: 1000000 },
};
const REDACTABLE: Pdu = {
  content: { body: 'Here is the message content' },
  event_id: '$0:domain',
  origin: 'domain',
  origin_server_ts: 1000000,
  type: 'm.room.message',
  room_id: '!r:domain',
  sender: '@u:domain',
  signatures: {},
  unsigned: { age_ts: 1000000 },
};

describe('the test vectors of the specification', () => {
  it.each<[JsonObject, string]>([
    [{}, 'K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ'],
    [{ one: 1, two: 'Two' }, 'KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw'],
  ])('hold for signing the JSON %j', (object, signature) => {
    const signed = signJson(object, 'domain', key);
    expect(signed).toEqual({ ...object, signatures: { domain: { 'ed25519:1': signature } } });
    expect(verifyJson(signed, 'domain', 'ed25519:1', verifyKey)).toBe(true);
  });

  it('hold for signing a minimal event, byte for byte', () => {
    expect(canonicalJson(hashAndSignEvent(MINIMAL, V1, 'domain', key))).toBe(
      '{"auth_events":[],"content":{},"depth":3,"hashes":{"sha256":"5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"},"origin":"domain","origin_server_ts":1000000,"prev_events":[],"room_id":"!x:domain","sender":"@a:domain","signatures":{"domain":{"ed25519:1":"KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"}},"type":"X","unsigned":{"age_ts":1000000}}',
    );
  });

  it('hold for signing an event with content that a redaction takes out, byte for byte', () => {
    expect(canonicalJson(hashAndSignEvent(REDACTABLE, V1, 'domain', key))).toBe(
      '{"content":{"body":"Here is the message content"},"event_id":"$0:domain","hashes":{"sha256":"onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g"},"origin":"domain","origin_server_ts":1000000,"room_id":"!r:domain","sender":"@u:domain","signatures":{"domain":{"ed25519:1":"Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA"}},"type":"m.room.message","unsigned":{"age_ts":1000000}}',
    );
  });

  it('hold for unpadded base64', () => {
    const encoded = ['', 'f', 'fo', 'foo', 'foob', 'fooba', 'foobar'].map((text) => encodeBase64(Buffer.from(text)));
    expect(encoded).toEqual(['', 'Zg', 'Zm8', 'Zm9v', 'Zm9vYg', 'Zm9vYmE', 'Zm9vYmFy']);
  });

  // "Event IDs" of room versions 3 and 4 only show the form.
  it('hold for the form of event ids', () => {
    expect(eventIdOf(REDACTABLE, V1)).toBe('$0:domain');
    expect(eventIdOf(MINIMAL, findRoomVersion('3')!)).toMatch(/^\$[A-Za-z0-9+/]{43}$/);
    expect(eventIdOf(MINIMAL, findRoomVersion('4')!)).toMatch(/^\$[A-Za-z0-9_-]{43}$/);
  });
});

describe('signing keys', () => {
  it('sign byte for byte as tweetnacl does, and each takes the signatures of the other', () => {
    const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(seed, fc.uint8Array({ maxLength: 300 }), (bytes, message) => {
        const own = createSigningKey(bytes, 'x');
        const pair = nacl.sign.keyPair.fromSeed(bytes);
        const signature = own.sign(message);
        expect(own.publicKey.equals(pair.publicKey)).toBe(true);
        expect(signature.equals(nacl.sign.detached(message, pair.secretKey))).toBe(true);
        expect(nacl.sign.detached.verify(message, signature, pair.publicKey)).toBe(true);
        expect(parseVerifyKey(pair.publicKey)!.verify(message, signature)).toBe(true);
        expect(parseVerifyKey(pair.publicKey)!.verify(Buffer.concat([message, Buffer.from('x')]), signature)).toBe(
          false,
        );
      }),
      { numRuns: 25 },
    );
  });

  it('come back from a key file as they were', () => {
    const made = generateSigningKey();
    const line = encodeSigningKey(made);
    expect(line).toMatch(/^ed25519 a_[a-z]{4} [A-Za-z0-9+/]{43}\n$/);
    const back = decodeSigningKey(line);
    expect(back.keyId).toBe(made.keyId);
    expect(back.sign('text').equals(made.sign('text'))).toBe(true);
    expect(generateSigningKey().publicKey.equals(made.publicKey)).toBe(false);
  });

  it.each(['', 'ed25519 a', 'rsa a YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1', 'ed25519 a YJDB', 'ed25519 a-b YJDB'])(
    'are not read from the line %j',
    (line) => {
      expect(() => decodeSigningKey(line)).toThrow(/signing key/);
    },
  );

  it('do not show their seed', () => {
    expect(JSON.stringify(key)).not.toContain('YJDBA9Xnr2s');
    expect(Object.values(key).filter((value) => Buffer.isBuffer(value))).toEqual([key.publicKey]);
  });

  it('of others are refused where they have not 32 bytes', () => {
    expect(parseVerifyKey('YJDB')).toBeUndefined();
    expect(parseVerifyKey('not base64')).toBeUndefined();
    expect(verifyKey.verify('text', Buffer.alloc(3))).toBe(false);
  });
});

describe('signed JSON', () => {
  const signed = signJson(
    { a: 1, unsigned: { age: 1 }, signatures: { other: { 'ed25519:o': 'c2ln' } } },
    'domain',
    key,
  );

  it('keeps other signatures and unsigned, and covers neither', () => {
    expect(signed).toMatchObject({ unsigned: { age: 1 }, signatures: { other: { 'ed25519:o': 'c2ln' } } });
    const changed = { ...signed, unsigned: { age: 2 } };
    expect(verifyJson(changed, 'domain', 'ed25519:1', verifyKey)).toBe(true);
    expect(listSigningKeyIds(signed, 'domain')).toEqual(['ed25519:1']);
  });

  it('does not hold when changed, for another signer, key id or key, or with a damaged signature', () => {
    expect(verifyJson({ ...signed, a: 2 }, 'domain', 'ed25519:1', verifyKey)).toBe(false);
    expect(verifyJson(signed, 'other', 'ed25519:1', verifyKey)).toBe(false);
    expect(verifyJson(signed, 'domain', 'ed25519:2', verifyKey)).toBe(false);
    expect(verifyJson(signed, 'domain', 'ed25519:1', parseVerifyKey(generateSigningKey().publicKey)!)).toBe(false);
    for (const signatures of [
      undefined,
      1,
      { domain: 1 },
      { domain: { 'ed25519:1': '?' } },
      { domain: { 'ed25519:1': 5 } },
    ]) {
      expect(verifyJson({ a: 1, signatures }, 'domain', 'ed25519:1', verifyKey)).toBe(false);
    }
    expect(listSigningKeyIds(signed, 'constructor')).toEqual([]);
  });
});

describe('signed events', () => {
  const signed = hashAndSignEvent(REDACTABLE, V10, 'domain', key);

  it('keep signature and id through a redaction, but not the content hash', () => {
    const redacted = redact(signed, V10);
    expect(verifyEventSignature(redacted, V10, 'domain', 'ed25519:1', verifyKey)).toBe(true);
    expect(eventIdOf(redacted, V10)).toBe(eventIdOf(signed, V10));
    expect([hasContentHash(signed, V10), hasContentHash(redacted, V10)]).toEqual([true, false]);
    expect(hasContentHash({ ...signed, hashes: { sha256: `${contentHash(signed, V10)}=` } }, V10)).toBe(true);
  });

  it('lose their signature when a key changes that redactions keep', () => {
    const changed = { ...signed, sender: '@v:domain' };
    expect(verifyEventSignature(changed, V10, 'domain', 'ed25519:1', verifyKey)).toBe(false);
  });

  it('can be signed by a second server without losing the first signature', () => {
    const second = generateSigningKey();
    const both = signEvent(signed, V10, 'second', second);
    expect(verifyEventSignature(both, V10, 'domain', 'ed25519:1', verifyKey)).toBe(true);
    expect(verifyEventSignature(both, V10, 'second', second.keyId, parseVerifyKey(second.publicKey)!)).toBe(true);
    expect(eventIdOf(both, V10)).toBe(eventIdOf(signed, V10));
  });

  it('are refused with a number that this room version does not allow', () => {
    const pdu = { ...REDACTABLE, content: { n: 1.5 } };
    expect(() => contentHash(pdu, V10)).toThrow(expect.objectContaining({ errcode: 'M_BAD_JSON' }));
    expect(contentHash(pdu, V1)).toMatch(/^.{43}$/);
    const create = { ...REDACTABLE, type: 'm.room.create', content: { n: 1.5 } };
    expect(() => referenceHash(create, findRoomVersion('11')!)).toThrow(
      expect.objectContaining({ errcode: 'M_BAD_JSON' }),
    );
    for (const version of ROOM_VERSIONS) expect(referenceHash(REDACTABLE, version)).toHaveLength(32);
  });
});
