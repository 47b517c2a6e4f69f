import { IsInt, IsOptional, IsString, MaxLength } from 'class-validator';
import { isWebAddress } from '#kernel/is-web-address';
import { MatrixError } from '#kernel/matrix-error';
import type { NewValidation, ValidationAsker } from '../validations.js';

abstract class RequestTokenBody {
  @IsString() @MaxLength(255) client_secret!: string;
  @IsInt() send_attempt!: number;
  @IsOptional() @IsString() @MaxLength(512) next_link?: string;
}

/** Identity service API, "Email associations". */
export class RequestMailBody extends RequestTokenBody {
  @IsString() @MaxLength(512) email!: string;
}

/** Identity service API, "Phone number associations". */
export class RequestTextBody extends RequestTokenBody {
  @IsString() @MaxLength(8) country!: string;
  @IsString() @MaxLength(64) phone_number!: string;
}

/** What somebody asks for. Throws M_INVALID_PARAM for a `next_link` that leads to no page. */
export function validationOf(body: RequestTokenBody, asker: ValidationAsker): NewValidation {
  const { client_secret: clientSecret, send_attempt: sendAttempt, next_link: nextLink } = body;
  if (typeof nextLink !== 'string') return { asker, clientSecret, sendAttempt }; // some clients send null
  if (!isWebAddress(nextLink)) throw new MatrixError('M_INVALID_PARAM', 'next_link: no http or https URL');
  return { asker, clientSecret, sendAttempt, nextLink };
}
