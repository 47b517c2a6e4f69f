/** What differs from one room version to the next, as data. Nothing else in the code knows a version's number. */
export interface RoomVersion {
  readonly id: string;
  /** Of the specification; all others are told as unstable. */
  readonly stable: boolean;
  /** `opaque`: `$local:server`, a field of the PDU. `hash`: the reference hash, in one of two base64 alphabets. */
  readonly eventIds: 'opaque' | 'hash-base64' | 'hash-base64url';
  /** `pairs`: prev_events and auth_events are [id, hashes] pairs and the PDU carries its event_id. */
  readonly references: 'pairs' | 'ids';
  /** Integers only, within +-(2^53-1). */
  readonly strictCanonicalJson: boolean;
  readonly stateResolution: 'v1' | 'v2' | 'v2.1';
  /** The create event's hash is the room id; the create event has no room_id and is never in auth_events. */
  readonly roomIdIsCreateHash: boolean;
  /** Creators (sender and additional_creators) have infinite power. */
  readonly privilegedCreators: boolean;
  /** content.creator is required in the create event and names the creator. */
  readonly creatorInContent: boolean;
  /** Signing keys must be valid at origin_server_ts. */
  readonly enforceKeyValidity: boolean;
  /** m.room.aliases has an auth rule of its own. */
  readonly aliasesAuthRule: boolean;
  /** m.room.redaction is checked in the auth rules (same domain, or the redact level). */
  readonly redactionAuthRule: boolean;
  /** Power levels in `notifications` are checked. */
  readonly limitNotificationsPowerLevels: boolean;
  readonly integerPowerLevels: boolean;
  readonly knocking: boolean;
  readonly restrictedJoins: boolean;
  readonly knockRestrictedJoins: boolean;
  /** `redacts` is in content. */
  readonly redactsInContent: boolean;
  /** State may be deleted: see state-deletion.ts. */
  readonly stateDeletion: boolean;
  /** Which keys survive a redaction; see redaction/redact.ts. */
  readonly redaction: 'v1' | 'v6' | 'v8' | 'v9' | 'v11';
}
