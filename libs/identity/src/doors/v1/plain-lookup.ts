import { OnlyWhere } from '#http/only-where';

/** Where the operator wants no look-ups in plain text, or this is no identity server, their paths are none. */
export const PlainLookup = OnlyWhere(({ identityRole }) => identityRole?.plainLookup === true);
