import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { IdentityPeer } from '#config/identity-config';
import { Outgoing, OutgoingFailure } from '#http/outgoing/outgoing';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { findJsonObject, isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { decodeBase64 } from '#protocol/signing/base64';
import { listSigningKeyIds, verifyJson } from '#protocol/signing/sign-json';
import { signRequest } from '#protocol/signing/sign-request';
import { parseXMatrix, textToSign } from '#protocol/signing/signed-request';
import { parseVerifyKey, SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { httpsPlace } from '../client/https-place.js';
import { MOST_SKEW_MS } from './clock-skew.js';
import type { FeedPage } from './identity-feed.js';

/** Where identity servers tell each other. */
export const FEED_PATH = '/_matrix/identity/unstable/dev.annals.associations';
const WITHIN_MS = 20_000;
const MAX_BYTES = 1024 * 1024;
const MOST_ENTRIES = 1_000;
const MOST_PLACE = 128;

/**
 * The identity servers that this one trusts, by the names and keys that the operator has given: nobody else's word is asked for, and none other is told.
 */
@Injectable()
export class IdentityPeers {
  readonly all: readonly IdentityPeer[];

  constructor(
    private readonly outgoing: Outgoing,
    @Inject(SIGNING_KEY) private readonly key: SigningKey,
    @Inject(CONFIG) private readonly config: Pick<Config, 'identityRole' | 'serverName'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    const named = config.identityRole?.peers ?? [];
    this.all = named.filter(({ name }) => name !== config.serverName);
  }

  /** Which of them has signed a request for what is at a path, for this server; undefined where none did. */
  findOrigin(authorization: string, uri: string): ServerName | undefined {
    const said = parseXMatrix(authorization);
    if (said === undefined || said === 'malformed' || said.destination !== this.config.serverName) return undefined;
    const { origin, signature } = said;
    const bytes = decodeBase64(signature);
    const text = textToSign({ method: 'GET', uri, origin, destination: this.config.serverName }, undefined);
    const holds = (peer: IdentityPeer): boolean =>
      peer.name === origin && bytes !== undefined && parseVerifyKey(peer.publicKey)?.verify(text, bytes) === true;
    return this.all.some(holds) ? origin : undefined;
  }

  /** Whether a request was signed just now, by the time that is signed with it, in milliseconds since the epoch: whoever has seen one is not to ask by it for ever. */
  isTimely(ts: number | undefined): boolean {
    return ts !== undefined && Math.abs(ts - this.clock.now()) <= MOST_SKEW_MS;
  }

  /** Whether a peer has signed what it tells; what cannot be signed at all nobody has. */
  isSigned(peer: IdentityPeer, entry: JsonObject): boolean {
    const key = parseVerifyKey(peer.publicKey);
    if (key === undefined) return false;
    try {
      return listSigningKeyIds(entry, peer.name).some((id) => verifyJson(entry, peer.name, id, key));
    } catch (error) {
      if (error instanceof MatrixError) return false;
      throw error;
    }
  }

  /** What one of them says behind a place, not looked at. Throws PeerRefused, PeerUnavailable. */
  async read(peer: IdentityPeer, place: string): Promise<FeedPage> {
    const query = { ...(place === '' ? {} : { after: place }), ts: String(this.clock.now()) };
    const uri = `${FEED_PATH}?${new URLSearchParams(query).toString()}`;
    const asked = { method: 'GET', uri, origin: this.config.serverName, destination: peer.name };
    const { authorization } = signRequest(asked, this.key);
    const { status, body } = await this.#send(peer, uri, authorization);
    const answer = findJsonObject(body);
    if (status !== 200) throw new PeerRefused(status, answer ?? {});
    const { entries, next, more } = answer ?? {};
    const isPage = Array.isArray(entries) && entries.length <= MOST_ENTRIES && entries.every(isJsonObject);
    if (!isPage || typeof next !== 'string' || next.length > MOST_PLACE) {
      throw new PeerUnavailable(`${peer.name} tells nothing that can be read`);
    }
    return { entries, next, more: more === true };
  }

  /** The operator has vouched for where it is. */
  async #send(peer: IdentityPeer, path: string, authorization: string) {
    const { host } = new URL(peer.url);
    const headers = { host, accept: 'application/json', authorization };
    const limits = { withinMs: WITHIN_MS, maxBytes: MAX_BYTES };
    try {
      return await this.outgoing.send(httpsPlace(host, true), { method: 'GET', path, headers, ...limits });
    } catch (error) {
      if (!(error instanceof OutgoingFailure)) throw error;
      throw new PeerUnavailable(`${peer.name} cannot be reached: ${error.message}`, { cause: error });
    }
  }
}
