import { hash } from 'node:crypto';

/** Standard base64 without padding: specification, appendices, "Unpadded Base64". */
export function encodeBase64(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  const padding = text.indexOf('=');
  return padding < 0 ? text : text.slice(0, padding);
}

/** The SHA-256 of the UTF-8 of a text in that base64. PERF: half the time of making a Buffer of the hash first (bench/seal-event.ts). */
export function sha256Base64(text: string): string {
  return hash('sha256', text, 'base64').slice(0, -1); // of 32 bytes the last of 44 characters is padding
}

const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

/**
 * The bytes of a base64 text, padded or not, in either alphabet (the specification asks decoders to take both paddings);
 * undefined where it is none.
 */
export function decodeBase64(text: string): Buffer | undefined {
  return BASE64.test(text) ? Buffer.from(text, 'base64') : undefined;
}
