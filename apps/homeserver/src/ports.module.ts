import { type DynamicModule, Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE } from '#event-store/event-store';
import { KeyedNames } from '#event-store/keyed-names';
import { SHUTDOWN } from '#http/shutdown';
import { CLOCK, type Clock } from '#kernel/clock';
import { HEALTH, type HealthSources } from '#observability/health';
import { LOGGER, type Logger } from '#observability/logger';
import type { MeteredEventStore } from '#observability/metered-event-store';
import { Metrics, METRICS } from '#observability/metrics';
import { WHAT_FOLLOWS } from '#projections/effects/what-follows';
import { HELD_CLOCK, NotedClock } from '#projections/held-clock';
import { ProjectionOperations } from '#projections/projection-operations';
import type { ProjectionRuntime } from '#projections/projection-runtime';
import { VIEWS } from '#projections/views';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { READ_MODEL_STORE, type ReadModelStore } from '#read-models/read-model-store';

/** What exists before Nest does: opened by the start of the server, closed by its drain. */
export interface Ports {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly store: MeteredEventStore;
  readonly readModels: ReadModelStore;
  readonly projections: ProjectionRuntime;
  readonly signingKey: SigningKey;
  readonly names: KeyedNames;
  readonly shutdown: AbortSignal;
  readonly health: HealthSources;
}

/** Makes the ports and the buses known to every module. */
@Global()
@Module({})
export class PortsModule {
  static of(ports: Ports): DynamicModule {
    const providers = [
      { provide: CONFIG, useValue: ports.config },
      { provide: CLOCK, useValue: ports.clock },
      { provide: HELD_CLOCK, useFactory: () => heldClockOf(ports) },
      { provide: LOGGER, useValue: ports.logger },
      { provide: METRICS, useValue: ports.metrics },
      { provide: EVENT_STORE, useValue: ports.store },
      { provide: READ_MODEL_STORE, useValue: ports.readModels },
      { provide: VIEWS, useValue: ports.projections },
      { provide: ProjectionOperations, useFactory: () => ports.projections.operations },
      { provide: WHAT_FOLLOWS, useFactory: () => ports.projections.effects },
      { provide: SIGNING_KEY, useValue: ports.signingKey },
      { provide: KeyedNames, useValue: ports.names },
      { provide: SHUTDOWN, useValue: ports.shutdown },
      { provide: HEALTH, useFactory: (clock: NotedClock) => ({ ...ports.health, clock }), inject: [HELD_CLOCK] },
    ];
    const names = providers.map(({ provide }) => provide);
    return { module: PortsModule, imports: [CqrsModule], providers, exports: [...names, CqrsModule] };
  }
}

/** Made once it is needed: whoever lists the modules has no ports. */
function heldClockOf({ store, clock, logger, metrics }: Ports): NotedClock {
  const held = new NotedClock(store, clock, logger);
  const help = '1 where the clock is believed, 0 where it may have jumped ahead: then nothing is destroyed for its age';
  metrics.addGauge('annals_clock_held', help, () => Number(held.isHeld));
  return held;
}
