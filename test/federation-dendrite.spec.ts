import { DENDRITE, startDendrite } from './support/federation/dendrite.js';
import { describeRoomsSharedWith } from './support/federation/shared-rooms.js';

describeRoomsSharedWith(
  {
    name: 'Dendrite',
    start: startDendrite,
    isThere: DENDRITE !== undefined,
    versions: ['1', '6', '10', '11'],
    withoutRedactions: ['11'],
  },
  () => {},
);
