import { Injectable } from '@nestjs/common';
import { OutsideClaims } from './outside-claims.js';
import { RegistrationTokens } from './registration-tokens.js';

/** What a registration takes before there is the account that it is for, and gives back where that comes to nothing. */
@Injectable()
export class RegistrationClaims {
  constructor(
    readonly tokens: RegistrationTokens,
    readonly outside: OutsideClaims,
  ) {}
}
