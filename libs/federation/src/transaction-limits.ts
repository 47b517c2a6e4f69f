/** "they can have at most 50 PDUs and 100 EDUs": server-server API, "Transactions". */
export const MOST_PDUS = 50;
export const MOST_EDUS = 100;
