/** The state that a potential member is told of a room: client-server API, "Stripped state". */
export const POTENTIAL_MEMBERS_STATE: readonly string[] = Object.freeze([
  'm.room.create',
  'm.room.name',
  'm.room.avatar',
  'm.room.topic',
  'm.room.join_rules',
  'm.room.canonical_alias',
  'm.room.encryption',
]);
