import { OnlyWhere } from '#http/only-where';

/** Where the OAuth 2.0 API is off its paths are none. */
export const OAuthIsOn = OnlyWhere(({ oauth }) => oauth);
