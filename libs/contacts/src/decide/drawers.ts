const DRAWERS = 128;

type Drawer<V> = ReadonlyMap<string, V>;

/**
 * A map that never changes: what changes it answers another, which shares with it all drawers but one. PERF: an address book of thousands is folded
 * contact by contact, and a copy of all of it each time would take seconds.
 */
export class Drawers<V> {
  private constructor(
    private readonly drawers: readonly (Drawer<V> | undefined)[],
    readonly size: number,
  ) {}

  static empty<V>(): Drawers<V> {
    return new Drawers<V>([], 0);
  }

  get(key: string): V | undefined {
    return this.drawers[drawerOf(key)]?.get(key);
  }

  has(key: string): boolean {
    return this.drawers[drawerOf(key)]?.has(key) === true;
  }

  with(key: string, value: V): Drawers<V> {
    return this.#with(key, (drawer) => drawer.set(key, value));
  }

  without(key: string): Drawers<V> {
    return this.has(key) ? this.#with(key, (drawer) => drawer.delete(key)) : this;
  }

  *entries(): Generator<[string, V], void> {
    for (const drawer of this.drawers) if (drawer !== undefined) yield* drawer;
  }

  #with(key: string, change: (drawer: Map<string, V>) => void): Drawers<V> {
    const at = drawerOf(key);
    const before = this.drawers[at];
    const drawer = new Map(before);
    change(drawer);
    const drawers = [...this.drawers];
    drawers[at] = drawer;
    return new Drawers(drawers, this.size - (before?.size ?? 0) + drawer.size);
  }
}

function drawerOf(key: string): number {
  let sum = 0;
  for (let i = 0; i < key.length; i++) sum = (sum * 31 + key.charCodeAt(i)) % 65_521;
  return sum % DRAWERS;
}
