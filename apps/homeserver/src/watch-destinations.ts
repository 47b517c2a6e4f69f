import type { Destinations } from '#federation/sending/destinations';
import type { LabelledNumber, Metrics } from '#observability/metrics';

/** Adds how other servers are sent to, to the metrics. */
export function watchDestinations(metrics: Metrics, destinations: Pick<Destinations, 'numbers'>): void {
  const read =
    (list: (numbers: Destinations['numbers']) => Readonly<Record<string, number>>, label: string) => async () =>
      Object.entries(list(destinations.numbers)).map(([name, number]): LabelledNumber => [{ [label]: name }, number]);
  metrics.addCounters(
    'annals_federation_transactions_total',
    'Transactions to other servers, by what became of them; failed are tries',
    ['outcome'],
    read(({ accepted, failed, refused }) => ({ accepted, failed, refused }), 'outcome'),
  );
  metrics.addCounters(
    'annals_federation_sent_total',
    'PDUs and EDUs that other servers have accepted',
    ['kind'],
    read(({ pdus, edus }) => ({ pdu: pdus, edu: edus }), 'kind'),
  );
  metrics.addGauges(
    'annals_federation_destinations',
    'Other servers that are sent to at this moment, and those that are left alone because they could not be reached',
    ['state'],
    read(({ active, asleep }) => ({ active, asleep }), 'state'),
  );
}
