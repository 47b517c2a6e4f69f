/**
 * An answer that is JSON text already: a door returns it, and it is sent as it is, with no second stringify.
 * PERF: the adapter tells it from other answers by one `instanceof` (see `matrix-adapter.ts`); other routes pay nothing more.
 */
export class RawJson {
  constructor(readonly text: string) {}
}
