/** A message to a phone. */
export interface TextMessage {
  /** Digits, with the code of the country and nothing before it. */
  readonly number: string;
  readonly text: string;
}

/** What brings messages to phones. */
export interface TextMessages {
  /** Settles once it is taken. Throws TextFailure. */
  send(message: TextMessage): Promise<void>;
}

/** A message was not taken. What it says holds no number. */
export class TextFailure extends Error {
  constructor(
    reason: string,
    /** Whether it may be taken at another time. */
    readonly isTransient: boolean,
    options?: { readonly cause: unknown },
  ) {
    super(reason, options);
    this.name = 'TextFailure';
  }
}
