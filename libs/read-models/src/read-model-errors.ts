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

/** Another process has taken the lease of this one, which was not heard of for too long: it must write nothing more. */
export class ViewsTaken extends ViewsGone {
  constructor() {
    super('another process writes to the views now, for this one was not heard of for some seconds');
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

/** The files of the views could not be renewed: they are as they were, and it may be tried again. One line that says why. */
export class ViewsNotRenewed extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'ViewsNotRenewed';
  }
}
