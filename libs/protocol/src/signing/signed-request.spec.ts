import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { verifyJson } from './sign-json.js';
import { createSigningKey, parseVerifyKey } from './signing-key.js';
import { signRequest } from './sign-request.js';
import { parseXMatrix } from './signed-request.js';

const read = (text: string) => parseXMatrix(`X-Matrix ${text}`);
const RIGHT = { origin: 'b.example', destination: 'a.example:8448', keyId: 'ed25519:k_1', signature: 'c2ln+/' };

describe('a header X-Matrix', () => {
  it.each([
    'origin="b.example",destination="a.example:8448",key="ed25519:k_1",sig="c2ln+/"',
    'origin=b.example,destination=a.example:8448,key=ed25519:k_1,sig=c2ln+/',
    'Origin = "b.example" ,\tDESTINATION="a.example:8448"\t,  key="ed25519:k_1",sig="c2ln+/",',
    'sig="c2ln+/",key="ed25519:k_1",,destination="a.example:8448",origin="b.example"',
    'origin="b\\.example",destination="a.example:8448",key="ed25519:\\k_1",sig="c2ln+/",later="a \\" , b=c"',
    'origin="b.example",destination="a.example:8448",key="ed25519:k_1",signature="c2ln+/"',
  ])('is read as %s', (text) => expect(read(text)).toEqual(RIGHT));

  it('is read where it names no destination', () => {
    expect(read('origin=b.example,key="ed25519:k_1",sig="c2ln+/"')).toEqual({ ...RIGHT, destination: undefined });
  });

  it('may be spelled in any case, with more than one space', () => {
    expect(parseXMatrix('x-matrix   origin=b.example,key=k,sig=s')).toMatchObject({ origin: 'b.example' });
  });

  it('is none where the scheme is another', () => {
    expect(parseXMatrix('Bearer X-Matrix origin=b.example')).toBeUndefined();
    expect(parseXMatrix('X-Matrixorigin=b.example')).toBeUndefined();
  });

  it.each([
    '',
    'origin=b.example,key=k',
    'origin=b.example,sig=s',
    'key=k,sig=s',
    'origin="b example",key=k,sig=s',
    'origin="b.example,key=k,sig=s',
    'origin=b.example,origin=c.example,key=k,sig=s',
    'origin=b.example,Origin=b.example,key=k,sig=s',
    'origin=b.example key=k sig=s',
    'origin,key=k,sig=s',
    'origin=,key=k,sig=s',
  ])('is malformed: %s', (text) => expect(read(text)).toBe('malformed'));

  const name = fc
    .oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV6().map((ip) => `[${ip.replace(/%.*/, '')}]`),
    )
    .chain((host) => fc.constantFrom(host, `${host}:8448`)) as unknown as fc.Arbitrary<ServerName>;

  it('that our signer writes says what was signed, and the signature holds', () => {
    fc.assert(
      fc.property(
        name,
        fc.option(name, { nil: undefined }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.stringMatching(/^[A-Za-z0-9_]{1,20}$/),
        fc.option(fc.dictionary(fc.string(), fc.maxSafeInteger()), { nil: undefined }),
        (origin, destination, seed, version, content) => {
          const key = createSigningKey(seed, version);
          const request = { method: 'PUT', uri: '/_matrix/x?y', origin, destination, content: content as JsonObject };
          const { authorization: header } = signRequest(request, key);
          const parsed = parseXMatrix(header);
          expect(parsed).toMatchObject({ origin, destination, keyId: key.keyId });
          if (parsed === undefined || parsed === 'malformed') throw new Error(header);
          const signatures = { [origin]: { [key.keyId]: parsed.signature } };
          const signed = { ...(request as JsonObject), signatures };
          expect(verifyJson(signed, origin, key.keyId, parseVerifyKey(key.publicKey)!)).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('is read in no time, whatever it holds', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '=', ',', '"', '\\', ' ', '\t'), maxLength: 5_000 }),
        (text) => {
          read(text);
        },
      ),
      { numRuns: 50 },
    );
  });
});
