const PARAMETER = /;\s*filename(\*)?\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/gi;
const EXTENDED = /^utf-8'[^']*'(.*)$/i;

/** What a file is called, by the header Content-Disposition (RFC 6266); undefined where it does not say so. */
export function readFileName(header: string | undefined): string | undefined {
  let plain: string | undefined;
  for (const [, star, quoted, token] of (header ?? '').slice(0, 4096).matchAll(PARAMETER)) {
    if (star === undefined) plain ??= quoted?.replaceAll(/\\(.)/g, '$1') ?? token;
    else {
      const extended = unescape(EXTENDED.exec(token ?? quoted ?? '')?.[1]);
      // It goes before the other one, which is for who cannot read it.
      if (extended !== undefined) return extended;
    }
  }
  return plain;
}

function unescape(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
