import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { canonicalJson, canonicalString } from '#protocol/canonical-json/canonical-json';
import { encodeBase64 } from '#protocol/signing/base64';
import type { SigningKey } from '#protocol/signing/signing-key';

/** What a request to another server says, as far as it is signed. */
export interface UnsignedRequest {
  readonly method: string;
  /** The path as it is sent, with its query. */
  readonly uri: string;
  readonly origin: ServerName;
  readonly destination: ServerName;
  readonly content?: JsonObject;
}

/** The header by which the other server knows us, and the body that goes with it. */
export interface SignedRequest {
  readonly authorization: string;
  readonly body: string | undefined;
}

/**
 * A request signed as the server-server API asks for ("Request Authentication"). Numbers in the content keep their spelling.
 *
 * PERF: the content is written once, for the body and for what is signed: canonical JSON has these five keys in this order.
 */
export function signRequest(
  { method, uri, origin, destination, content }: UnsignedRequest,
  key: SigningKey,
): SignedRequest {
  const body = content === undefined ? undefined : canonicalJson(content, { lenient: true });
  const signed =
    `{${body === undefined ? '' : `"content":${body},`}"destination":${canonicalString(destination)},` +
    `"method":${canonicalString(method)},"origin":${canonicalString(origin)},"uri":${canonicalString(uri)}}`;
  const signature = encodeBase64(key.sign(signed));
  const parameters = { origin, destination, key: key.keyId, sig: signature };
  const written = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`);
  return { authorization: `X-Matrix ${written.join(',')}`, body };
}
