import { UNKNOWN_TYPE } from './uploads/parse-about.js';

/** What browsers show without running anything of it: client-server API, "Serving inline content". */
const INLINE: ReadonlySet<string> = new Set([
  'text/css',
  'text/plain',
  'text/csv',
  'application/json',
  'application/ld+json',
  'image/jpeg',
  'image/gif',
  'image/png',
  'image/apng',
  'image/webp',
  'image/avif',
  'video/mp4',
  'video/webm',
  'video/ogg',
  'video/quicktime',
  'audio/mp4',
  'audio/webm',
  'audio/aac',
  'audio/mpeg',
  'audio/ogg',
  'audio/wave',
  'audio/wav',
  'audio/x-wav',
  'audio/x-pn-wav',
  'audio/flac',
  'audio/x-flac',
]);
const POLICY =
  "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';";
const KEPT_SECONDS = 24 * 60 * 60;
/** For how long content is kept by who was given it. A medium never changes, but may be deleted: so they ask once a day whether it is there. */
export const KEPT = `private, max-age=${KEPT_SECONDS}, immutable`;

/** What goes with content that somebody brought, so that no browser takes it for a page of this server; and where there is none, with that. */
export const SAFE_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'content-security-policy': POLICY,
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-robots-tag': 'noindex, nofollow, noarchive, noimageindex',
});

/** The type and the disposition that content is given out with. `name`: of the file, undefined where it has none. */
export function describeContent(
  type: string | undefined,
  name: string | undefined,
): { readonly type: string; readonly disposition: string } {
  const given = type ?? UNKNOWN_TYPE;
  const base = given.split(';', 1)[0]!.trim().toLowerCase();
  const kind = INLINE.has(base) ? 'inline' : 'attachment';
  return { type: given, disposition: name === undefined ? kind : `${kind}; ${fileName(name)}` };
}

const PLAIN = /^[ !#-[\]-~]*$/;

/** RFC 6266: as it is where a quoted string holds it, else escaped (RFC 8187). */
function fileName(name: string): string {
  if (PLAIN.test(name)) return `filename="${name}"`;
  const escaped = encodeURIComponent(name).replace(
    /['()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `filename*=utf-8''${escaped}`;
}
