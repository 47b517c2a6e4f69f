import type { FactoryProvider, Type } from '@nestjs/common';
import { PresenceListSource } from '../ephemeral/presence-list-source.js';
import { DeviceListSource } from '../devices/device-list-source.js';
import { EDU_SOURCES, type EduSource } from '../sending/edu-source.js';
import { ToDeviceSource } from './to-device-source.js';

/** Every source of EDUs that must not be lost: to add one is to write its file, and to put its class into this list. */
const ALL: readonly Type<EduSource>[] = [DeviceListSource, PresenceListSource, ToDeviceSource];

/** They and their list, for FederationModule. */
export const EDU_SOURCE_PROVIDERS = [
  ...ALL,
  {
    provide: EDU_SOURCES,
    inject: [...ALL],
    useFactory: (...sources: EduSource[]): readonly EduSource[] => sources,
  } satisfies FactoryProvider<readonly EduSource[]>,
];
