import type { EventStore } from '#event-store/event-store';
import { positionNumber } from '#kernel/position';
import type { LabelledNumber, Metrics } from '#observability/metrics';
import type { ProjectionRuntime } from '#projections/projection-runtime';
import type { ProjectionStatus } from '#projections/projection-status';

/** Adds what the log and the projections are at to the metrics. */
export function watchProjections(metrics: Metrics, store: EventStore, projections: ProjectionRuntime): void {
  metrics.addGauge('annals_log_head', 'Position of the last fact of the log', async () =>
    positionNumber(await store.head()),
  );
  metrics.addGauge('annals_views_position', 'Position that every serving projection has passed', () =>
    positionNumber(projections.position()),
  );
  const add = (name: string, help: string, numberOf: (status: ProjectionStatus) => number): void =>
    metrics.addGauges(name, help, ['projection'], async () =>
      (await projections.list()).map((status): LabelledNumber => [{ projection: status.name }, numberOf(status)]),
    );
  add('annals_projection_position', 'Position that the projection has passed', (status) =>
    positionNumber(status.position),
  );
  add('annals_projection_lag', 'Places between the projection and the head of the log', (status) =>
    Math.max(0, positionNumber(status.head) - positionNumber(status.position)),
  );
  add('annals_projection_facts_per_second', 'Speed of the projection', (status) => status.factsPerSecond);
  add('annals_projection_dead_letters', 'Facts that the serving views lack', (status) => status.deadLetters);
  add('annals_projection_failed', '1 where the projection has failed', (status) => Number(status.state === 'failed'));
}
