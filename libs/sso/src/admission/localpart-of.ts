const ALLOWED = /[a-z0-9._/+-]/;

/**
 * A name of elsewhere as a localpart: appendices, "Mapping from other character sets". Different names have different localparts, but for
 * capitals.
 */
export function localpartOfName(name: string): string {
  let localpart = '';
  for (const byte of Buffer.from(name.normalize('NFC').toLowerCase())) {
    const letter = String.fromCharCode(byte);
    const isPlain = ALLOWED.test(letter);
    localpart += isPlain ? letter : `=${byte.toString(16).padStart(2, '0')}`;
  }
  return localpart.startsWith('_') ? `=5f${localpart.slice(1)}` : localpart;
}

/** The name behind such a localpart; the localpart itself where it is none. */
export function nameOfLocalpart(localpart: string): string {
  const bytes = localpart.replaceAll(/=([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  if (bytes === localpart || /[^\0-\xff]/.test(bytes)) return localpart;
  const name = Buffer.from(bytes, 'latin1').toString('utf8');
  return localpartOfName(name) === localpart ? name : localpart;
}
