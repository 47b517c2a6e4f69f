import type { Clock } from '#kernel/clock';
import type { LabelledNumber, Metrics } from '#observability/metrics';
import type { EffectStatus } from '#projections/effects/effect';
import type { EffectRunner } from '#projections/effects/effect-runner';

/** Adds how the effects do to the metrics. */
export function watchEffects(metrics: Metrics, effects: EffectRunner, clock: Clock): void {
  const read = (numberOf: (status: EffectStatus) => number) => async (): Promise<LabelledNumber[]> =>
    effects.list().map((status): LabelledNumber => [{ effect: status.name }, numberOf(status)]);
  const labels = ['effect'];
  metrics.addGauges(
    'annals_effect_waiting',
    'Facts whose effect is not done yet',
    labels,
    read(({ waiting }) => waiting),
  );
  metrics.addGauges(
    'annals_effect_lag_seconds',
    'Age of the oldest fact whose effect is not done yet; 0 where there is none',
    labels,
    read(({ waitingSince }) => (waitingSince === undefined ? 0 : Math.max(0, clock.now() - waitingSince) / 1000)),
  );
  metrics.addCounters(
    'annals_effect_failures_total',
    'Tries of an effect that failed',
    labels,
    read(({ failures }) => failures),
  );
  metrics.addCounters(
    'annals_effects_given_up_total',
    'Effects that failed too often and were given up, those tried again in vain among them',
    labels,
    read(({ givenUp }) => givenUp),
  );
  metrics.addGauges(
    'annals_effect_dead_letters',
    'Facts whose effect was given up and neither done since nor dropped',
    labels,
    read(({ deadLetters }) => deadLetters),
  );
  metrics.addGauges(
    'annals_effect_runs_here',
    '1 where this process runs the effect, 0 where another one does or none',
    labels,
    read(({ runs }) => Number(runs === 'here')),
  );
}
