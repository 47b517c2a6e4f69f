import type { Projector } from './projector.js';

/** Throws where two projectors have one name or own one collection. */
export function checkOwners(projectors: readonly Projector[]): void {
  const names = new Set<string>();
  const owners = new Map<string, string>();
  for (const { name, collections } of projectors) {
    if (!/^[a-z][a-z0-9-]*$/.test(name))
      throw new Error(`"${name}" is no name for a projector: lower case, digits and -`);
    if (names.has(name)) throw new Error(`Two projectors are named ${name}`);
    names.add(name);
    for (const collection of collections) {
      const other = owners.get(collection);
      if (other !== undefined) throw new Error(`The collection ${collection} is owned by ${other} and by ${name}`);
      owners.set(collection, name);
    }
  }
}
