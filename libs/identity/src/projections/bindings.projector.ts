import type { RecordedFact } from '#event-store/event-store';
import type { ServerName, UserId } from '#kernel/ids';
import { asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { readIdentityFact, userIdOfBindings } from '../facts/identity-facts.js';

/** Which identifier it is stands in the log alone. */
export const BINDINGS = new Collection<readonly [userId: UserId, bindingId: string], ServerName>('bindings', {
  key: ['user', 'binding'],
  says: 'the identity server to which an identifier of theirs was made known',
  codec: asText(),
});

/** Which users are known at which identity servers by what this server had done there. */
export const bindingsProjector: Projector = {
  name: 'bindings',
  version: 1,
  ...owning(BINDINGS),
  handles: (type) => type === 'binding-noted' || type === 'binding-ended',
  project,
};

function project(recorded: RecordedFact, rows: OwnRows): void {
  const { type, data } = readIdentityFact(recorded);
  const userId = userIdOfBindings(recorded.stream);
  if (type === 'binding-noted') BINDINGS.put(rows, [userId, data.binding_id], data.id_server);
  else if (type === 'binding-ended') BINDINGS.delete(rows, [userId, data.binding_id]);
}
