import type { EventStore } from '#event-store/event-store';
import type { OwnRows, Projector } from '#projections/projector';

/** The one row that a projector makes of the facts of one stream, as the log has them; undefined where it makes none. */
export async function rowOfStream<Row>(
  store: EventStore,
  stream: string,
  projector: Projector,
): Promise<Row | undefined> {
  let value: string | undefined;
  const rows: OwnRows = {
    get: async () => value,
    scan: async () => [],
    put: (_collection, _key, written) => {
      value = written;
    },
    delete: () => {
      value = undefined;
    },
  };
  for await (const fact of store.readStream(stream)) {
    if (projector.handles(fact.type)) await projector.project(fact, rows);
  }
  return value === undefined ? undefined : (JSON.parse(value) as Row);
}
