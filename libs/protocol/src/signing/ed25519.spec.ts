import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byOpenssl, ed25519, SODIUM_PATH } from './ed25519.js';

// RFC 8032, section 7.1: TEST 1 to 3.
const VECTORS = [
  {
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
  {
    seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature:
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  },
].map((vector) => Object.fromEntries(Object.entries(vector).map(([name, hex]) => [name, Buffer.from(hex, 'hex')])));

describe('the Ed25519 of this machine', () => {
  it('is libsodium, where it comes compiled for the system', () => {
    const report = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
    const isGlibc = report.header.glibcVersionRuntime !== undefined;
    if (process.platform === 'linux' && isGlibc && ['x64', 'arm64'].includes(process.arch)) {
      expect(SODIUM_PATH).toBeDefined();
    }
  });
});

describe.each([
  ['that is used', ed25519],
  ['of OpenSSL', byOpenssl],
])('the Ed25519 %s', (_, one) => {
  it.each(VECTORS)('holds the test vector of $message', ({ seed, publicKey, message, signature }) => {
    const key = one.keyOf(seed!);
    expect(key.publicKey).toEqual(publicKey);
    expect(key.sign(message!)).toEqual(signature);
    expect(one.verifier(publicKey!)(message!, signature!)).toBe(true);
  });

  it('takes what the other signed, and nothing that was changed by a bit', () => {
    const other = one === byOpenssl ? ed25519 : byOpenssl;
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(bytes(32), fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 511 }), (seed, message, bit) => {
        const { publicKey, sign } = other.keyOf(Buffer.from(seed));
        const holds = one.verifier(publicKey);
        const signature = sign(message);
        expect(holds(message, signature)).toBe(true);
        expect(holds(Buffer.concat([message, Buffer.from('x')]), signature)).toBe(false);
        signature[bit >> 3]! ^= 1 << (bit & 7);
        expect(holds(message, signature)).toBe(false);
      }),
      { numRuns: 25 },
    );
  });

  it('takes nothing of another length for a signature, and no key that is none', () => {
    const { publicKey, sign } = one.keyOf(Buffer.alloc(32, 7));
    const signature = sign(Buffer.from('text'));
    for (const wrong of [signature.subarray(0, 63), Buffer.concat([signature, Buffer.alloc(1)]), Buffer.alloc(0)]) {
      expect(one.verifier(publicKey)(Buffer.from('text'), wrong)).toBe(false);
    }
    expect(one.verifier(Buffer.alloc(32, 0xff))(Buffer.from('text'), signature)).toBe(false);
  });

  it('takes no key and no beginning of a signature that is a point of small order, however written', () => {
    const smallOrder = [
      '0100000000000000000000000000000000000000000000000000000000000000',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      '0000000000000000000000000000000000000000000000000000000000000080',
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
      'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    ].map((hex) => Buffer.from(hex, 'hex'));
    const texts = [...'abcdefghijklmnop'].map((text) => Buffer.from(text));
    for (const key of smallOrder) {
      for (const begin of smallOrder) {
        const signature = Buffer.concat([begin, Buffer.alloc(32)]);
        expect(texts.filter((text) => one.verifier(key)(text, signature))).toEqual([]);
      }
    }
  });
});
