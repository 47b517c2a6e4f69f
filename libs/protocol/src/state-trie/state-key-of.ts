/** One string for a key of the state dictionary, different for different keys whatever characters they hold. */
export function stateKeyOf(type: string, stateKey: string): string {
  return `${type.length}:${type}${stateKey}`;
}
