import { keyFor } from '#protocol/signing/key-for';
import { createHmac } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { openText, sealText } from '#protocol/signing/sealed-text';
import type { Threepid } from './threepid.js';

/** What an address is to be shown for. What was shown for one is good for no other. */
export type ValidationPurpose = 'registration' | 'recovery' | 'addition' | 'login';

/** A validation that was begun: by whom knows the secret. */
export interface Validation {
  readonly purpose: ValidationPurpose;
  readonly threepid: Threepid;
  readonly clientSecret: string;
}

/** What a link in a mail says. */
export interface ValidationLink extends Validation {
  readonly until: number;
  /** Where who opened it may go on, http or https. */
  readonly nextLink?: string;
}

/** Where the links of mails lead to. */
export const LINK_PATH = '_matrix/static/client/confirm';

/** Where clients submit the codes of mails that are typed there. */
export const SUBMIT_PATH = '_matrix/client/unstable/dev.annals.validation/email/submitToken';

const DIGITS = 8;

/** The links of mails. They carry all that they say, sealed with a key made of the server's signing key: nothing is kept of those that nobody opens, and every process knows them. */
@Injectable()
export class ValidationLinks {
  readonly #linkKey: Buffer;
  readonly #sidKey: Buffer;
  readonly #submissionKey: Buffer;
  readonly #codeKey: Buffer;

  constructor(
    @Inject(SIGNING_KEY) signingKey: SigningKey,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl' | 'serverName'>,
  ) {
    this.#linkKey = keyFor(signingKey.exportSeed(), 'link of a mail');
    this.#sidKey = keyFor(signingKey.exportSeed(), 'id of a validation');
    this.#submissionKey = keyFor(signingKey.exportSeed(), 'submission of a code of a mail');
    this.#codeKey = keyFor(signingKey.exportSeed(), 'code of a mail');
  }

  /** What mails call this server. */
  get serverName(): string {
    return this.config.serverName;
  }

  /** By which its client asks for a validation: the same for the same address and secret (identity service API, "Email associations"). */
  sidOf({ purpose, threepid, clientSecret }: Validation): string {
    const text = JSON.stringify([purpose, threepid.medium, threepid.address, clientSecret]);
    return createHmac('sha256', this.#sidKey).update(text).digest('base64url');
  }

  /** The URL for a mail. */
  urlOf(link: ValidationLink): string {
    const token = sealText(this.#linkKey, JSON.stringify(link));
    return `${this.config.publicUrl}/${LINK_PATH}?token=${token}`;
  }

  /** What a link says; undefined where it is none of ours, or its time is over. */
  open(token: string): ValidationLink | undefined {
    const link = opened(this.#linkKey, token);
    return link !== undefined && link.until > this.clock.now() ? link : undefined;
  }

  /** The code that shows the same as a link that holds until then. It is told to the address alone. */
  codeOf({ until, ...validation }: ValidationLink): string {
    const mac = createHmac('sha256', this.#codeKey)
      .update(JSON.stringify([this.sidOf(validation), until]))
      .digest();
    return String(mac.readUIntBE(0, 6) % 10 ** DIGITS).padStart(DIGITS, '0');
  }

  /** Where the client that began a validation submits its code. It says of which, as links do, and opens none. */
  submitUrlOf(link: ValidationLink): string {
    const validation = sealText(this.#submissionKey, JSON.stringify(link));
    return `${this.config.publicUrl}/${SUBMIT_PATH}?validation=${validation}`;
  }

  /** Of which validation a code is submitted, though its time may be over; undefined where it is none of ours. */
  openSubmission(validation: string): ValidationLink | undefined {
    return opened(this.#submissionKey, validation);
  }
}

/** What was sealed by `urlOf` or `submitUrlOf`. */
function opened(key: Buffer, sealed: string): ValidationLink | undefined {
  const text = openText(key, sealed);
  return text === undefined ? undefined : (JSON.parse(text) as ValidationLink);
}
