/** The views cannot be reached, or not be read or written, for now. What became of a write is not known: it may still be carried out. */
export class ViewsUnavailable extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'ViewsUnavailable';
  }
}

/** Not lost for now, but gone: the store no longer has what was written to it, and only a process that begins anew with what is there can mend it. */
export class ViewsGone extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'ViewsGone';
  }
}

/** Another process writes to the views, and this one must not: they may be another server's. */
export class ViewsTaken extends ViewsGone {
  constructor() {
    super('another server writes to this database of views, and each needs one of its own');
    this.name = 'ViewsTaken';
  }
}

/** The views will never answer to this address or these credentials. One line, without a secret. */
export class ViewsMisconfigured extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ViewsMisconfigured';
  }
}
