import type { SendToServices } from '#appservices/sending/send-to-services.effect';
import type { LabelledNumber, Metrics } from '#observability/metrics';

/** Adds how application services are sent to, to the metrics. */
export function watchServices(metrics: Metrics, sending: Pick<SendToServices, 'numbers'>): void {
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
}
