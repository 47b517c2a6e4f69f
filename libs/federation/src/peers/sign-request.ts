import { canonicalJson, canonicalString } from '#protocol/canonical-json/canonical-json';
import { encodeBase64 } from '#protocol/signing/base64';
import type { SigningKey } from '#protocol/signing/signing-key';
import type { ServerRequest } from './signed-request.js';

/** The header by which the other server knows us, and the body that goes with it. */
export interface SignedRequest {
  readonly authorization: string;
  readonly body: string | undefined;
}

/**
 * A request signed as the server-server API asks for ("Request Authentication"), with a header that servers of all ages read. Numbers
 * in the content keep their spelling.
 *
 * `contentText`: the content as canonical JSON, where it is written already.
 *
 * PERF: the content is written once, for the body and for what is signed (`requestToSign`): canonical JSON has these keys in this order.
 */
export function signRequest(request: ServerRequest, key: SigningKey, contentText?: string): SignedRequest {
  const { method, uri, origin, destination, content } = request;
  const body = contentText ?? (content === undefined ? undefined : canonicalJson(content, { lenient: true }));
  const signed = [
    ...(body === undefined ? [] : [`"content":${body}`]),
    ...(destination === undefined ? [] : [`"destination":${canonicalString(destination)}`]),
    `"method":${canonicalString(method)}`,
    `"origin":${canonicalString(origin)}`,
    `"uri":${canonicalString(uri)}`,
  ].join(',');
  const signature = encodeBase64(key.sign(`{${signed}}`));
  const to = destination === undefined ? '' : `,destination="${destination}"`;
  return { authorization: `X-Matrix origin="${origin}"${to},key="${key.keyId}",sig="${signature}"`, body };
}
