import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import { systemClock } from '#kernel/clock';

/** A certificate and its private key, both PEM. */
export interface Certified {
  readonly certificate: string;
  readonly key: string;
}

export interface Validity {
  readonly from: Date;
  readonly until: Date;
}

const HOUR_MS = 3_600_000;
const OIDS = {
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  commonName: [0x55, 0x04, 0x03],
  subjectKeyIdentifier: [0x55, 0x1d, 0x0e],
  keyUsage: [0x55, 0x1d, 0x0f],
  subjectAltName: [0x55, 0x1d, 0x11],
  basicConstraints: [0x55, 0x1d, 0x13],
  authorityKeyIdentifier: [0x55, 0x1d, 0x23],
} as const;

/** A certificate authority of one test (RFC 5280): what it has signed is trusted by whoever is given its certificate. */
export class TestAuthority {
  readonly certificate: string;
  readonly #name = commonName(`Authority of a test ${randomBytes(4).toString('hex')}`);
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  constructor() {
    const isAuthority = extension(OIDS.basicConstraints, sequence(der(0x01, Buffer.of(0xff))), true);
    const signs = extension(OIDS.keyUsage, der(0x03, Buffer.of(2, 0b0000_0100)), true);
    this.certificate = this.#sign(this.#name, this.#keys.publicKey, [isAuthority, signs], hours(24));
  }

  /** A certificate for names and addresses, for a day unless told otherwise. */
  issue(names: readonly string[] = ['localhost', '127.0.0.1'], validity: Validity = hours(24)): Certified {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const alternatives = extension(OIDS.subjectAltName, sequence(...names.map(alternativeName)));
    return {
      certificate: this.#sign(commonName(names[0] ?? ''), publicKey, [alternatives], validity),
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
  }

  #sign(subject: Buffer, publicKey: KeyObject, extensions: readonly Buffer[], { from, until }: Validity): string {
    const algorithm = sequence(der(0x06, Buffer.from(OIDS.ecdsaWithSha256)));
    const identifiers = [
      extension(OIDS.subjectKeyIdentifier, der(0x04, keyIdentifier(publicKey))),
      extension(OIDS.authorityKeyIdentifier, sequence(der(0x80, keyIdentifier(this.#keys.publicKey)))),
    ];
    const toBeSigned = sequence(
      der(0xa0, der(0x02, Buffer.of(2))),
      der(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
      algorithm,
      this.#name,
      sequence(time(from), time(until)),
      subject,
      publicKey.export({ type: 'spki', format: 'der' }),
      der(0xa3, sequence(...extensions, ...identifiers)),
    );
    const signature = der(0x03, Buffer.concat([Buffer.of(0), sign('sha256', toBeSigned, this.#keys.privateKey)]));
    const lines =
      sequence(toBeSigned, algorithm, signature)
        .toString('base64')
        .match(/.{1,64}/g) ?? [];
    return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
  }
}

/** From an hour ago, for clocks that differ. */
function hours(count: number): Validity {
  const now = systemClock.now();
  return { from: new Date(now - HOUR_MS), until: new Date(now + count * HOUR_MS) };
}

/** One value in DER: its tag, its length, itself. */
function der(tag: number, content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  const digits = length.subarray(length.findIndex((byte) => byte !== 0));
  const head = content.length < 0x80 ? [content.length] : [0x80 | digits.length, ...digits];
  return Buffer.concat([Buffer.of(tag, ...head), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function extension(oid: readonly number[], value: Buffer, isCritical = false): Buffer {
  const critical = isCritical ? [der(0x01, Buffer.of(0xff))] : [];
  return sequence(der(0x06, Buffer.from(oid)), ...critical, der(0x04, value));
}

function commonName(text: string): Buffer {
  return sequence(der(0x31, sequence(der(0x06, Buffer.from(OIDS.commonName)), der(0x0c, Buffer.from(text)))));
}

function alternativeName(name: string): Buffer {
  return isIP(name) === 4 ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name));
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
}

/** UTCTime: good until 2049. */
function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\D/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${digits}Z`));
}
