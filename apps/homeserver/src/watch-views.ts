import type { Metrics } from '#observability/metrics';
import type { ProjectionRuntime } from '#projections/projection-runtime';
import type { ReadModelStore, Renewal } from '#read-models/read-model-store';

/** Adds how the store of the views does to the metrics. */
export function watchViewsStore(metrics: Metrics, readModels: ReadModelStore, projections: ProjectionRuntime): void {
  metrics.addGauge('annals_views_failed', '1 while the views cannot be reached or written', () =>
    Number(readModels.failure !== undefined),
  );
  metrics.addGauge('annals_views_writer', '1 in the process that writes the views', () => Number(projections.isWriter));
  if (readModels.renew === undefined) return;
  const add = (name: string, help: string, numberOf: (renewal: Renewal) => number): void =>
    metrics.addGauge(`annals_views_renewed_${name}`, help, () =>
      readModels.renewed === undefined ? 0 : numberOf(readModels.renewed),
    );
  add('timestamp_seconds', 'When the file of the views was renewed; 0 before that', ({ at }) => at / 1000);
  add('duration_seconds', 'How long that took', ({ milliseconds }) => milliseconds / 1000);
  add('bytes', 'How large the file is since then', ({ bytesAfter }) => bytesAfter);
  add('freed_bytes', 'How much larger it was before', ({ bytesBefore, bytesAfter }) => bytesBefore - bytesAfter);
}
