import { canonicalJson } from '../canonical-json/canonical-json.js';
import { encodeBase64 } from './base64.js';
import type { SigningKey } from './signing-key.js';
import { type ServerRequest, textToSign } from './signed-request.js';

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
 */
export function signRequest(request: ServerRequest, key: SigningKey, contentText?: string): SignedRequest {
  const { origin, destination, content } = request;
  const body = contentText ?? (content === undefined ? undefined : canonicalJson(content, { lenient: true }));
  const signature = encodeBase64(key.sign(textToSign(request, body)));
  const to = destination === undefined ? '' : `,destination="${destination}"`;
  return { authorization: `X-Matrix origin="${origin}"${to},key="${key.keyId}",sig="${signature}"`, body };
}
