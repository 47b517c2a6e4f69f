import type { EventStore } from '#event-store/event-store';
import type { OwnRows, Projector } from '#projections/projector';

/** The one row of a collection that a projector makes of the facts of one stream, as the log has them; undefined where it makes none. */
export async function rowOfStream<Row>(
  store: EventStore,
  stream: string,
  projector: Projector,
  collection: string,
): Promise<Row | undefined> {
  const values = new Map<string, string>();
  const rows: OwnRows = {
    get: async (name) => values.get(name),
    scan: async () => [],
    put: (name, _key, written) => {
      values.set(name, written);
    },
    delete: (name) => {
      values.delete(name);
    },
  };
  for await (const fact of store.readStream(stream)) {
    if (projector.handles(fact.type)) await projector.project(fact, rows);
  }
  const value = values.get(collection);
  return value === undefined ? undefined : (JSON.parse(value) as Row);
}
