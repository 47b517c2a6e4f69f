import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { isWord } from '../presence/availability.js';
import { Presence } from '../presence/presence.js';
import type { DeviceReport } from '../presence/presence-state.js';

/** Longer than that nobody has to be told how idle somebody is. */
const MAX_IDLE_MS = 365 * 24 * 60 * 60_000;

/**
 * Notes what the requester's client says of its device: for how long nobody has done anything with it (0: somebody does again), and of what kind it
 * is ('': nobody is to know). 2015, "Idle Time", "Device Type". Throws M_INVALID_PARAM. Does nothing where presence is off.
 */
export class ReportDevice extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly report: DeviceReport,
  ) {
    super();
  }
}

@CommandHandler(ReportDevice)
export class ReportDeviceHandler implements ICommandHandler<ReportDevice> {
  constructor(private readonly presence: Presence) {}

  async execute({ requester, report }: ReportDevice): Promise<void> {
    const { idleMs, type } = report;
    if (idleMs !== undefined && !(Number.isSafeInteger(idleMs) && idleMs >= 0 && idleMs <= MAX_IDLE_MS)) {
      throw new MatrixError('M_INVALID_PARAM', 'idle_ms: not a number of milliseconds up to a year');
    }
    if (type !== undefined && type !== '' && !isWord(type)) {
      throw new MatrixError('M_INVALID_PARAM', 'device_type: not a word of up to 64 characters');
    }
    await this.presence.report(requester, report);
  }
}
