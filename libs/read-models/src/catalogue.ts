/** What is known of one logical collection. */
export interface CollectionEntry {
  /** The one projector that writes it; `null` for what the write side keeps for itself and may lose. */
  readonly owner: string | null;
  /** The parts of a key, in order. */
  readonly key: readonly string[];
  /** What a row says. */
  readonly value: string;
}

/** A projector, as far as the catalogue concerns it. */
interface Owner {
  readonly name: string;
  readonly collections: readonly string[];
  /** What it says itself of its collections. */
  readonly declared?: readonly { readonly name: string; readonly key: readonly string[]; readonly says: string }[];
}

/** By logical name: the collections that no projector declares, those of rooms and of the write side. */
export const CATALOGUE: Readonly<Record<string, CollectionEntry>> = Object.freeze({
  // rooms
  'room-snapshots': {
    owner: null,
    key: ['room', 'part'],
    value: 'a live room, to warm it up without its whole stream',
  },
  'stream-snapshots': { owner: null, key: ['fold', 'stream'], value: 'what a stream of a user was folded to' },
});

/** Every collection of the house, by logical name. */
export function catalogueOf(
  projectors: readonly Owner[],
  catalogue: Readonly<Record<string, CollectionEntry>> = CATALOGUE,
): Readonly<Record<string, CollectionEntry>> {
  const declared = projectors.flatMap(({ name: owner, declared: own = [] }) =>
    own.map(({ name, key, says }) => [name, { owner, key, value: says }] as const),
  );
  return { ...catalogue, ...Object.fromEntries(declared) };
}

/**
 * Checks that the projectors and the catalogue agree: every collection of a projector is in the catalogue as its
 * own, and no collection is left without its owner. Throws an Error that names every disagreement.
 */
export function checkCatalogue(
  projectors: readonly Owner[],
  written: Readonly<Record<string, CollectionEntry>> = CATALOGUE,
): void {
  const catalogue = catalogueOf(projectors, written);
  const complaints: string[] = [];
  const owned = new Map<string, string>();
  for (const { name, collections } of projectors) {
    for (const collection of collections) {
      const owner = catalogue[collection]?.owner;
      if (owner === undefined) complaints.push(`${collection}, owned by ${name}, is not in the catalogue`);
      else if (owner !== name) complaints.push(`${collection} belongs to ${owner ?? 'the write side'}, not to ${name}`);
      if (owned.has(collection)) complaints.push(`${collection} is owned by ${owned.get(collection)} and by ${name}`);
      owned.set(collection, name);
    }
  }
  for (const [collection, { owner }] of Object.entries(catalogue)) {
    if (owner !== null && !owned.has(collection)) complaints.push(`nobody writes ${collection}: ${owner} should`);
  }
  if (complaints.length > 0) throw new Error(`The catalogue of read models is wrong: ${complaints.join('; ')}`);
}
