/** What may be wrong with a node of the stand-in. All of it is off at first, and may be changed at any time. */
export interface StandInFaults {
  /** Readings are opened and never get a message. */
  silentReads: boolean;
  /** A connection through which so much has been read is silent for ever to every further reading; others may read. */
  readingsUntilSilent: number;
  /** To how many connections more that may happen. */
  connectionsToSilence: number;
  /** Subscriptions are opened, and neither confirmed nor told of anything; those that are open hear nothing more. */
  silentSubscriptions: boolean;
  /** So many appends are carried out and never answered. */
  unansweredAppends: number;
  /** Appends are carried out at once and answered after this time. */
  answerAfterMs: number;
  /** For how long it searches after each hundred events that a filter does not let through: others fill its log. */
  searchPauseMs: number;
  /** Connections that are answered "unavailable" whenever they read, for ever. */
  readonly deafPeers: Set<string>;
  /** Whoever begins to read or to append is refused, as where the password is another one now. */
  refusesAll: boolean;
}

export function noFaults(): StandInFaults {
  return {
    silentReads: false,
    readingsUntilSilent: Infinity,
    connectionsToSilence: 0,
    silentSubscriptions: false,
    unansweredAppends: 0,
    answerAfterMs: 0,
    searchPauseMs: 0,
    deafPeers: new Set(),
    refusesAll: false,
  };
}
