import { type FoundServer, textOf } from '#federation/discovery/discover-server';
import { readSignedKeys } from '#federation/receive/read-key-document';
import type { ConnectorOptions } from '#http/outgoing/guarded-connector';
import { RefusedAddress } from '#http/outgoing/guarded-lookup';
import { lookAtCertificate } from '#http/outgoing/look-at-certificate';
import type { Outgoing } from '#http/outgoing/outgoing';
import { systemClock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { messageOf } from '#kernel/message-of';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { type Check, fail, ok, warn } from '../doctor/check.js';
import { moment } from '../terminal/units.js';

/** A server that was found, and what asks it. */
export interface FoundPeer {
  readonly server: ServerName;
  readonly found: FoundServer;
  readonly outgoing: Outgoing;
}

const SOON_MS = 14 * 24 * 3600 * 1000;
const WITHIN_MS = 15_000;
const MAX_BYTES = 64 * 1024;

/** What each of the places that a server was found at shows of itself. */
export async function checkCertificates({ found }: FoundPeer, options: ConnectorOptions): Promise<Check[]> {
  const { tlsName, at } = found.place;
  return Promise.all(
    at.map(async (place) => {
      const name = `certificate of ${textOf([place])}`;
      try {
        const seen = await lookAtCertificate(place, tlsName, options);
        const { address, protocol, issuer, names, validUntil, fault } = seen;
        const text = `at ${address}, ${protocol}: by ${issuer} for ${names}, until ${moment(validUntil)}`;
        if (fault !== undefined) {
          const advice = `it must be for ${tlsName}, by an authority that is known here (see ANNALS_TLS_CA)`;
          return fail(name, `${text}; not believed: ${fault}`, advice);
        }
        const isNear = validUntil - systemClock.now() < SOON_MS;
        return isNear ? warn(name, text, 'it is to be renewed soon') : ok(name, text);
      } catch (error) {
        const advice =
          error instanceof RefusedAddress
            ? 'where that is meant so, set ANNALS_FEDERATION_ALLOW_PRIVATE=true'
            : 'see that the server runs, and that nothing between here and there is in the way';
        return fail(name, messageOf(error), advice);
      }
    }),
  );
}

/** What a server runs, by its own word. */
export async function checkVersion(peer: FoundPeer): Promise<Check> {
  const answer = await ask(peer, '/_matrix/federation/v1/version');
  if (typeof answer === 'string') {
    return fail(
      'version',
      answer,
      'what answers there is no Matrix server, or a proxy does not hand on /_matrix/federation',
    );
  }
  const server = answer['server'];
  const { name, version } = isJsonObject(server) ? server : {};
  return ok('version', [name, version].filter((part) => typeof part === 'string').join(' ') || 'it does not say');
}

/** The keys that a server signs with, and whether it has signed them. */
export async function checkKeys(peer: FoundPeer): Promise<Check> {
  const answer = await ask(peer, '/_matrix/key/v2/server');
  if (typeof answer === 'string') return fail('keys', answer, 'nobody can verify what this server signs');
  const keys = readSignedKeys(answer, peer.server);
  if (typeof keys === 'string') return fail('keys', keys, 'nobody can verify what this server signs');
  const ids = keys.keys.map(({ keyId, expiredTs }) => `${keyId}${expiredTs === undefined ? '' : ' (old)'}`).join(', ');
  const text = `${ids}, valid until ${moment(keys.validUntilTs)}; signed by themselves`;
  if (keys.validUntilTs > systemClock.now()) return ok('keys', text);
  return fail('keys', text, 'they have expired: its clock may be wrong, or ours');
}

/** A JSON object, or why there is none. */
async function ask({ found, outgoing }: FoundPeer, path: string): Promise<JsonObject | string> {
  try {
    const headers = { host: found.host, 'accept-encoding': 'gzip' };
    const request = { method: 'GET', path, headers, withinMs: WITHIN_MS, maxBytes: MAX_BYTES } as const;
    const { status, body } = await outgoing.send(found.place, request);
    if (status !== 200) return `${path} answers ${status}`;
    const value = parseJson(body, { lenient: true });
    return isJsonObject(value) ? value : `${path} is no JSON object`;
  } catch (error) {
    return `${path}: ${messageOf(error)}`;
  }
}
