import type { Peers } from '#federation/peers/peers';
import type { PolicyServers } from '#federation/policy/policy-servers';
import type { LabelledNumber, Metrics } from '#observability/metrics';

/** Adds what other servers answer to the metrics, and what policy servers say of events. */
export function watchPeers(metrics: Metrics, peers: Peers, policies: Pick<PolicyServers, 'outcomes'>): void {
  metrics.addCounters(
    'annals_policy_server_events_total',
    'Events for which the policy servers of their rooms were asked, by what became of that',
    ['outcome'],
    async () => Object.entries(policies.outcomes).map(([outcome, number]): LabelledNumber => [{ outcome }, number]),
  );
  metrics.addCounters(
    'annals_peer_requests_total',
    'Requests to other servers, by what became of them',
    ['outcome'],
    async () => Object.entries(peers.outcomes).map(([outcome, number]): LabelledNumber => [{ outcome }, number]),
  );
}
