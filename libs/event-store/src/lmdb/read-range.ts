/**
 * What a range of LMDB holds, one after another. Lets go of it also where reading it throws: LMDB takes a reading that met damage
 * for spoilt as a whole, and the library would let whoever comes next go on with that, and be refused whatever they ask for.
 */
export function* readRange<T>(range: Iterable<T>): Generator<T, void> {
  const entries = range[Symbol.iterator]();
  try {
    for (let step = entries.next(); step.done !== true; step = entries.next()) yield step.value;
  } finally {
    entries.return?.();
  }
}
