import type { Distance, EventStore } from '#event-store/event-store';
import { type Position, START } from '#kernel/position';
import type { LabelledNumber, Metrics } from '#observability/metrics';
import type { ProjectionRuntime } from '#projections/projection-runtime';
import type { ProjectionStatus } from '#projections/projection-status';

/** Adds what the log and the projections are at to the metrics. */
export function watchProjections(metrics: Metrics, store: EventStore, projections: ProjectionRuntime): void {
  // A log that numbers its facts measures in facts, a server in bytes: the label tells.
  const gauge = (name: string, help: string, at: () => Position | Promise<Position>): void =>
    metrics.addGauges(name, help, ['unit'], async () => {
      const { amount, unit } = store.distance(START, await at());
      return [[{ unit }, amount]];
    });
  gauge('annals_log_head', 'Where the log ends', () => store.head());
  gauge('annals_views_position', 'Where every serving projection has come to in the log', () => projections.position());
  metrics.addGauge(
    'annals_followers_failing',
    'Who follows the log and cannot go on',
    () => projections.failures().length,
  );
  const add = (name: string, help: string, numberOf: (status: ProjectionStatus) => number): void =>
    metrics.addGauges(name, help, ['projection'], async () =>
      (await projections.operations.list()).map((status): LabelledNumber => [
        { projection: status.name },
        numberOf(status),
      ]),
    );
  const measure = (name: string, help: string, distanceOf: (status: ProjectionStatus) => Distance): void =>
    metrics.addGauges(name, help, ['projection', 'unit'], async () =>
      (await projections.operations.list()).map((status): LabelledNumber => {
        const { amount, unit } = distanceOf(status);
        return [{ projection: status.name, unit }, amount];
      }),
    );
  measure('annals_projection_position', 'Where the projection has come to in the log', ({ position }) =>
    store.distance(START, position),
  );
  measure('annals_projection_lag', 'What lies between the projection and the end of the log', ({ behind }) => behind);
  add('annals_projection_facts_per_second', 'Speed of the projection', (status) => status.factsPerSecond);
  add('annals_projection_dead_letters', 'Facts that the serving views lack', (status) => status.deadLetters);
  add('annals_projection_failed', '1 where the projection has failed', (status) => Number(status.state === 'failed'));
}
