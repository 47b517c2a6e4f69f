import type { RoomAdministration } from '#admin/purges/room-administration';
import type { ControlMethod } from '#projections/control-server';
import type { ControlRequest } from '#projections/control-socket';

/** What the command line can ask of a running server about its rooms. */
export function roomMethods(rooms: RoomAdministration): Readonly<Record<string, ControlMethod>> {
  return {
    'rooms.purge': (request) => rooms.purge(nameOf(request), { usersLeave: request.usersLeave === true }, 'server'),
    'rooms.purges': () => rooms.listPurges(),
    'rooms.deserted': () => rooms.listDeserted(),
    'rooms.hold': (request) =>
      rooms.hold(nameOf(request), typeof request.reason === 'string' ? request.reason : undefined),
    'rooms.release': (request) => rooms.release(nameOf(request)),
    'rooms.held': () => rooms.listHeld(),
  };
}

function nameOf({ method, name }: ControlRequest): string {
  if (typeof name !== 'string') throw new Error(`${method}: which room?`);
  return name;
}
