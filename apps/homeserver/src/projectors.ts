import { accountProjectors } from '#accounts/projections/account-projectors';
import { delayedEventsProjector } from '#calls/projections/delayed-events.projector';
import { contactsProjector } from '#contacts/projections/contacts.projector';
import { deviceProjectors } from '#devices/projections/device-projectors';
import { directoryProjectors } from '#directory/projections/directory-projectors';
import { presenceProjector } from '#ephemeral/projections/presence.projector';
import { presenceListsProjector } from '#ephemeral/projections/presence-lists.projector';
import { receiptsProjector } from '#ephemeral/projections/receipts.projector';
import { federationProjectors } from '#federation/projections/federation-projectors';
import { bindingsProjector } from '#identity/projections/bindings.projector';
import { identityFeedProjector } from '#identity/projections/identity-feed.projector';
import { identityProjector } from '#identity/projections/identity.projector';
import { storedInvitesProjector } from '#identity/projections/stored-invites.projector';
import { mediaProjectors } from '#media/projections/media-projectors';
import type { Projector } from '#projections/projector';
import { erasuresProjector } from '#processes/renewal/erasures.projector';
import { pushRulesProjector } from '#push/projections/push-rules.projector';
import { dueDigestsProjector } from '#push/projections/due-digests.projector';
import { pushersProjector } from '#push/projections/pushers.projector';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { roomProjectors } from '#rooms/projections/room-projectors';
import { searchProjector } from '#search/projections/search.projector';

/** Every projector of the house: what the server runs, and what the command line can rebuild, replay and verify. */
export function listProjectors(): readonly Projector[] {
  const reader = createRoomFactReader();
  const push = [pushRulesProjector, pushersProjector, dueDigestsProjector];
  const identity = [identityProjector, identityFeedProjector, storedInvitesProjector, bindingsProjector];
  const calls = [delayedEventsProjector];
  const presence = [presenceProjector, presenceListsProjector];
  const own = [...directoryProjectors(reader), receiptsProjector, ...presence, contactsProjector, ...identity, ...push];
  const devices = deviceProjectors(reader);
  const others = [...mediaProjectors(reader), ...federationProjectors(reader), searchProjector(reader), ...calls];
  return [...roomProjectors(reader), ...accountProjectors, ...devices, ...own, ...others, erasuresProjector];
}
