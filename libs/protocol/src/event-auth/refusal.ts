/** Why the rules refuse an event, in words for the user; undefined if they do not. Cheaper than throwing, where many are tried. */
export type Refusal = string | undefined;
