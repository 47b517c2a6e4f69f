/** Values by the key of a state. PERF: no key is put together for a look-up (bench/resolve.ts). */
export class KeyedMap<T> {
  readonly #byType = new Map<string, Map<string, T>>();

  has(type: string, stateKey: string): boolean {
    return this.#byType.get(type)?.has(stateKey) === true;
  }

  get(type: string, stateKey: string): T | undefined {
    return this.#byType.get(type)?.get(stateKey);
  }

  set(type: string, stateKey: string, value: T): void {
    let ofType = this.#byType.get(type);
    if (ofType === undefined) this.#byType.set(type, (ofType = new Map<string, T>()));
    ofType.set(stateKey, value);
  }

  *values(): Generator<T, void, undefined> {
    for (const ofType of this.#byType.values()) yield* ofType.values();
  }
}
