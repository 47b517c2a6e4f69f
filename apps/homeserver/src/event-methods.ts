import type { CommandBus } from '@nestjs/cqrs';
import { parseEventId, parseRoomId } from '#kernel/ids';
import type { ControlMethod } from '#projections/control-server';
import { RedactAsServer } from '#rooms/commands/redact-as-server';

/** What the command line can have done with events of rooms while the server runs. */
export function eventMethods(commands: CommandBus): Readonly<Record<string, ControlMethod>> {
  return {
    'events.redact': ({ room, event, reason }) => {
      const order = typeof reason === 'string' ? { reason } : {};
      return commands.execute(new RedactAsServer(parseRoomId(room), parseEventId(event), order));
    },
  };
}
