import type { Projector } from '#projections/projector';
import { annotationsProjector } from './annotations.projector.js';
import { desertedRoomsProjector } from './deserted-rooms.projector.js';
import { graphProjector } from './graph.projector.js';
import { handshakesProjector } from './handshakes.projector.js';
import { keptMembershipsProjector } from './kept-memberships.projector.js';
import { membershipProjector } from './membership.projector.js';
import { partialRoomsProjector } from './partial-rooms.projector.js';
import { relationsProjector } from './relations.projector.js';
import { retentionProjector } from './retention.projector.js';
import { createRoomFactReader } from './room-fact-reader.js';
import { roomActivityProjector } from './room-activity.projector.js';
import { roomStateProjector } from './room-state.projector.js';
import { roomSummaryProjector } from './room-summary.projector.js';
import { stickyEventsProjector } from './sticky-events.projector.js';
import { heldInvitationsProjector } from './held-invitations.projector.js';
import { threadSubscriptionsProjector } from './thread-subscriptions.projector.js';
import { timelineProjector } from './timeline.projector.js';

/** All projectors of rooms. They share one reader, with those of other domains that read rooms too, so that a fact is parsed once. */
export function roomProjectors(reader = createRoomFactReader()): readonly Projector[] {
  return [
    timelineProjector(reader),
    roomStateProjector(reader),
    membershipProjector(reader),
    roomSummaryProjector(reader),
    relationsProjector(reader),
    annotationsProjector(reader),
    graphProjector(reader),
    roomActivityProjector(reader),
    desertedRoomsProjector(reader),
    handshakesProjector(reader),
    keptMembershipsProjector(),
    threadSubscriptionsProjector(reader),
    heldInvitationsProjector,
    stickyEventsProjector(reader),
    retentionProjector(reader),
    partialRoomsProjector,
  ];
}
