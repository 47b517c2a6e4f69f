/** A value as it may stand in the name of an entry, whatever is in it: RFC 4514, section 2.4. */
export function escapeDn(value: string): string {
  const letters = [...value];
  return letters
    .map((letter, i) => {
      if (letter === '\0') return '\\00';
      const isAtAnEnd = letter === ' ' && (i === 0 || i === letters.length - 1);
      const isSpecial = '",+;<>=\\'.includes(letter) || (letter === '#' && i === 0);
      return isSpecial || isAtAnEnd ? `\\${letter}` : letter;
    })
    .join('');
}

/** A value as it may stand in a filter: RFC 4515, section 3. */
export function escapeFilter(value: string): string {
  return value.replaceAll(/[\0()*\\]/g, (letter) => `\\${letter.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** The value of the first part of an entry's name; undefined where it has another form. */
export function firstValueOf(dn: string): string | undefined {
  const match = /^[^=,+]+=((?:[^\\,+]|\\.)+)/.exec(dn);
  // Bytes of UTF-8, one after another, or a letter.
  return match?.[1]?.replaceAll(/((?:\\[0-9a-fA-F]{2})+)|\\(.)/g, (_, bytes: string | undefined, letter: string) =>
    bytes === undefined ? letter : Buffer.from(bytes.replaceAll('\\', ''), 'hex').toString('utf8'),
  );
}
