import type { SendToServices } from '#appservices/sending/send-to-services.effect';
import type { Clock } from '#kernel/clock';
import type { LabelledNumber, Metrics } from '#observability/metrics';

/** Adds how application services are sent to, to the metrics. */
export function watchServices(
  metrics: Metrics,
  sending: Pick<SendToServices, 'numbers' | 'refusedSince'>,
  clock: Clock,
): void {
  metrics.addCounters(
    'annals_appservice_transactions_total',
    'Transactions to application services, by what became of them; failed are tries',
    ['outcome'],
    async () => {
      const { accepted, failed } = sending.numbers;
      return Object.entries({ accepted, failed }).map(([outcome, number]): LabelledNumber => [{ outcome }, number]);
    },
  );
  metrics.addCounters(
    'annals_appservice_events_total',
    'Events that application services have accepted',
    [],
    async () => [[{}, sending.numbers.events]],
  );
  metrics.addGauges(
    'annals_appservice_refused_seconds',
    'For how long each application service has not taken a transaction, behind which nothing is sent; 0 where it takes them',
    ['service'],
    async () =>
      [...sending.refusedSince].map(([service, since]): LabelledNumber => {
        return [{ service }, since === undefined ? 0 : Math.max(0, clock.now() - since) / 1_000];
      }),
  );
}
