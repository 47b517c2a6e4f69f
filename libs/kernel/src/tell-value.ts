/**
 * What somebody else chose, in words for people: a text as it is, anything else as JSON. `String` would ask an object for its text, which fails
 * where that has no prototype, or a key `toString`.
 */
export function tellValue(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
}
