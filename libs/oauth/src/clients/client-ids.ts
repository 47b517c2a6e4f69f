import { createHmac } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { Inject, Injectable } from '@nestjs/common';
import { isSameSecret } from '#kernel/is-same-secret';
import { keyFor } from '#protocol/signing/key-for';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import type { Client } from './client.js';

const MAC_BYTES = 16;
const MOST_CHARACTERS = 4_500;

/**
 * The ids of applications: what one says of itself, and a MAC under a key made of the server's signing key. Nothing is stored, however
 * many register; the same application has the same id, and every process of the server knows it. With another signing key ids are not
 * known any more, and applications register anew, as they do before each log-in ("Dynamic client registration flow"). Sessions go on:
 * of them a hash of the id is remembered.
 */
@Injectable()
export class ClientIds {
  readonly #key: Buffer;

  constructor(@Inject(SIGNING_KEY) signingKey: SigningKey) {
    this.#key = keyFor(signingKey.exportSeed(), 'oauth client');
  }

  /** The id of an application. */
  of(client: Client): string {
    const text = deflateRawSync(JSON.stringify(client)).toString('base64url');
    return `${text}.${this.#macOf(text).toString('base64url')}`;
  }

  /** The application with this id; undefined where none has it. */
  find(id: string): Client | undefined {
    if (id.length > MOST_CHARACTERS) return undefined;
    const [text = '', mac = '', ...rest] = id.split('.');
    if (rest.length > 0 || !isSameSecret(Buffer.from(mac, 'base64url'), this.#macOf(text))) return undefined;
    return JSON.parse(inflateRawSync(Buffer.from(text, 'base64url')).toString()) as Client; // written above
  }

  #macOf(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text).digest().subarray(0, MAC_BYTES);
  }
}
