import { IsInt, IsOptional, IsString, MaxLength } from 'class-validator';
import { isWebAddress } from '#kernel/is-web-address';
import { MatrixError } from '#kernel/matrix-error';

/** What every request for a validation says, be it of this server or of the identity server: client-server API and identity service API, `requestToken`. */
abstract class RequestTokenBody {
  @IsString() client_secret!: string;
  @IsInt() send_attempt!: number;
  @IsOptional() @IsString() @MaxLength(2048) next_link?: string | null;
}

/** By a mail. */
export class RequestMailBody extends RequestTokenBody {
  @IsString() email!: string;
}

/** By a message to a phone. */
export class RequestTextBody extends RequestTokenBody {
  @IsString() country!: string;
  @IsString() phone_number!: string;
}

/** By which what was sent there is brought back: `submitToken`. */
export class SubmitTokenBody {
  @IsString() @MaxLength(255) sid!: string;
  @IsString() client_secret!: string;
  @IsString() @MaxLength(255) token!: string;
}

/** What all of them say of a validation, as it is begun. Throws M_INVALID_PARAM for a `next_link` that leads to no page. */
export function readRequest(body: RequestTokenBody): {
  readonly clientSecret: string;
  readonly sendAttempt: number;
  readonly nextLink?: string;
} {
  const { client_secret: clientSecret, send_attempt: sendAttempt, next_link: nextLink } = body;
  if (typeof nextLink !== 'string') return { clientSecret, sendAttempt }; // some clients send null
  if (!isWebAddress(nextLink)) throw new MatrixError('M_INVALID_PARAM', 'next_link: no http or https URL');
  return { clientSecret, sendAttempt, nextLink };
}
