import type { MediaAdministration } from '#media/media-administration';
import type { ControlMethod } from '#projections/control-server';
import type { ControlRequest } from '#projections/control-socket';

/** What the command line can ask of a running server about its media. */
export function mediaMethods(media: MediaAdministration): Readonly<Record<string, ControlMethod>> {
  return {
    'media.show': (request) => media.show(nameOf(request)),
    'media.use': (request) => media.listUse(afterOf(request)),
    'media.list': (request) => media.listOf(nameOf(request), afterOf(request)),
    'media.quarantined': (request) => media.listQuarantined(afterOf(request)),
    'media.delete': (request) => media.delete(nameOf(request)),
    'media.quarantine': (request) =>
      media.quarantine(nameOf(request), typeof request.reason === 'string' ? request.reason : undefined),
    'media.release': (request) => media.release(nameOf(request)),
    'media.drop-unseen': ({ method, days }) => {
      if (typeof days !== 'number') throw new Error(`${method}: for how many days?`);
      return media.dropUnseen(days);
    },
  };
}

function afterOf({ after }: ControlRequest): string | undefined {
  return typeof after === 'string' ? after : undefined;
}

function nameOf({ method, name }: ControlRequest): string {
  if (typeof name !== 'string') throw new Error(`${method}: which medium?`);
  return name;
}
