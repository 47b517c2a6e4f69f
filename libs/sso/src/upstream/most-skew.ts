/** By so much the clock of a provider may differ from that of this server. */
export const MOST_SKEW_SECONDS = 60;
