/** What the write side keeps for itself among the views, and may lose: collections without a projector, and without generations. */
export const WRITE_SIDE = Object.freeze({
  'room-snapshots': { key: ['room', 'part'], says: 'a live room, to warm it up without its whole stream' },
  'views-renewal': { key: ['`views`'], says: 'when the file of the views was renewed, and up to which erasure' },
  'stream-snapshots': { key: ['fold', 'stream'], says: 'what a stream of a user was folded to' },
});

/** The name of one. */
export type WriteSideName = keyof typeof WRITE_SIDE;
