/** The log cannot be reached for now. What became of an append is not known: it may still be carried out. */
export class EventStoreUnavailable extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'EventStoreUnavailable';
  }
}

/** What stands in the log is not what was written there. What was done since may be whole; nothing mends it but a backup. */
export class LogDamaged extends Error {
  constructor(
    /** What was found, in one line. */
    readonly finding: string,
    options?: ErrorOptions,
  ) {
    super(`the log is damaged: ${finding}`, options);
    this.name = 'LogDamaged';
  }
}

/** Another version wrote the log, in a way that this one does not read. Nothing is damaged, and a backup would not help. */
export class LogOfAnotherVersion extends Error {
  constructor(
    /** The version of the layout of its facts. */
    readonly layout: number,
  ) {
    super(
      `another version wrote the log, in a layout that this one does not read (${layout}): nothing is damaged; go on with that version`,
    );
    this.name = 'LogOfAnotherVersion';
  }
}

/** The log was put back to an earlier moment: it does not have what it had. Whoever knows it as it was must begin anew. */
export class LogPutBack extends Error {
  constructor(position: string) {
    super(`the log was put back to an earlier moment: it no longer has the fact at ${position}`);
    this.name = 'LogPutBack';
  }
}

/** The log takes no such amount at once; nothing of it was appended. Fewer facts may pass. */
export class AppendTooLarge extends RangeError {
  constructor(
    message: string,
    /** The most bytes at once. */
    readonly limit: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'AppendTooLarge';
  }
}

/** The log will never answer to this address or these credentials. One line, without a secret. */
export class EventStoreMisconfigured extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EventStoreMisconfigured';
  }
}

/** What was to be erased has no part that can be; nothing was changed. */
export class NotErasable extends RangeError {
  constructor(message: string) {
    super(message);
    this.name = 'NotErasable';
  }
}
