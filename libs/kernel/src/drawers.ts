const DRAWERS = 128;

type Drawer<K, V> = ReadonlyMap<K, V>;

/**
 * A map that never changes: what changes it answers another, which shares with it all drawers but one. PERF: what holds thousands is folded entry by
 * entry, and a copy of all of it each time would take seconds.
 */
export class Drawers<K extends string, V> {
  private constructor(
    private readonly drawers: readonly (Drawer<K, V> | undefined)[],
    readonly size: number,
  ) {}

  static empty<K extends string, V>(): Drawers<K, V> {
    return new Drawers<K, V>(Array.from({ length: DRAWERS }), 0);
  }

  get(key: K): V | undefined {
    return this.drawers[drawerOf(key)]?.get(key);
  }

  has(key: K): boolean {
    return this.drawers[drawerOf(key)]?.has(key) === true;
  }

  with(key: K, value: V): Drawers<K, V> {
    return this.#with(key, (drawer) => drawer.set(key, value));
  }

  without(key: K): Drawers<K, V> {
    return this.has(key) ? this.#with(key, (drawer) => drawer.delete(key)) : this;
  }

  *entries(): Generator<[K, V], void> {
    for (const drawer of this.drawers) if (drawer !== undefined) yield* drawer;
  }

  #with(key: K, change: (drawer: Map<K, V>) => void): Drawers<K, V> {
    const at = drawerOf(key);
    const before = this.drawers[at];
    const drawer = new Map(before);
    change(drawer);
    const drawers = [...this.drawers];
    // So what is empty again is as what always was.
    drawers[at] = drawer.size === 0 ? undefined : drawer;
    return new Drawers(drawers, this.size - (before?.size ?? 0) + drawer.size);
  }
}

function drawerOf(key: string): number {
  let sum = 0;
  for (let i = 0; i < key.length; i++) sum = (sum * 31 + key.charCodeAt(i)) % 65_521;
  return sum % DRAWERS;
}
