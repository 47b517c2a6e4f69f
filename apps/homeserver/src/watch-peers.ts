import type { Peers } from '#federation/peers/peers';
import type { LabelledNumber, Metrics } from '#observability/metrics';

/** Adds what other servers answer to the metrics. */
export function watchPeers(metrics: Metrics, peers: Peers): void {
  metrics.addCounters(
    'annals_peer_requests_total',
    'Requests to other servers, by what became of them',
    ['outcome'],
    async () => Object.entries(peers.outcomes).map(([outcome, number]): LabelledNumber => [{ outcome }, number]),
  );
}
