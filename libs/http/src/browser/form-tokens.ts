import { createHmac } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { MatrixError } from '#kernel/matrix-error';
import { isSameSecret } from '#kernel/is-same-secret';
import { keyFor } from '#protocol/signing/key-for';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';

/** The field of a form that holds its token. */
export const FORM_TOKEN = 'form_token';

/**
 * Tokens by which a form shows that a page of this server made it, for the browser that sends it: no page of another site can have it
 * sent. Nothing is stored: a token is a MAC of the browser's cookie, and good for as long as that.
 */
@Injectable()
export class FormTokens {
  readonly #key: Buffer;

  constructor(@Inject(SIGNING_KEY) signingKey: SigningKey) {
    this.#key = keyFor(signingKey.exportSeed(), 'form token');
  }

  /** The token of forms that are shown to the browser with this cookie. */
  of(cookie: string): string {
    return this.#macOf(cookie).toString('base64url');
  }

  /** The field, as HTML, of a form that is shown to the browser with this cookie. */
  fieldFor(cookie: string): string {
    return `<input type="hidden" name="${FORM_TOKEN}" value="${this.of(cookie)}">`;
  }

  /** Throws M_FORBIDDEN where the form was not made for the browser with this cookie, or was sent by a page of another origin. */
  check({ headers }: FastifyRequest, cookie: string | undefined, token: string | undefined): void {
    const site = headers['sec-fetch-site'];
    const isForeign = site !== undefined && site !== 'same-origin' && site !== 'none';
    const isRight = isSameSecret(Buffer.from(token ?? '', 'base64url'), this.#macOf(cookie ?? ''));
    if (cookie !== undefined && isRight && !isForeign) return;
    throw new MatrixError('M_FORBIDDEN', 'This form is out of date: go back, load the page again, and repeat it');
  }

  #macOf(cookie: string): Buffer {
    return createHmac('sha256', this.#key).update(cookie).digest();
  }
}
