/** The log cannot be reached for now. What became of an append is not known: it may still be carried out. */
export class EventStoreUnavailable extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'EventStoreUnavailable';
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
