import type { RateLimits } from '#http/rate-limits';
import type { LabelledNumber, Metrics } from '#observability/metrics';

/** Adds what was refused for coming too often to the metrics. */
export function watchLimits(metrics: Metrics, limits: Pick<RateLimits, 'refusals'>): void {
  metrics.addCounters(
    'annals_rate_limited_total',
    'Requests that were refused, by the class of the request and whose limit it was',
    ['class', 'by'],
    async () => [...limits.refusals()].map(({ number, ...labels }): LabelledNumber => [labels, number]),
  );
}
