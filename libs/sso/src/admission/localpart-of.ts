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
